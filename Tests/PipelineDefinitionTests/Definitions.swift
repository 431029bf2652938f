import PipelineDefinition

/// Definitions that more than one suite reads.
enum Definitions {
  static let shortest = """
    pipeline: airports
    sources: {openflights: {http: {base_url: "https://example.com"}, streams: {airports: {get: /airports.csv}}}}
    curate: {airports: {from: openflights.airports}}
    load: {warehouse: {postgres: {url: "secret:warehouse"}, tables: {public.airports: {from: airports, mode: replace}}}}

    """

  /// Uses everything that is supported.
  static let orders = """
    pipeline: orders
    owner: data@acme.example
    on_deploy: handover
    priority: 5
    sources:
      billing:
        http:
          base_url: ${BILLING_URL}
          auth: {bearer: "secret:billing/token"}
          limits: {requests_per_second: 10}
          retry: {statuses: [429, 5xx, timeout], max: 3, retry_after: ignore, give_up_after: 5m}
        streams:
          invoices:
            get: /v2/invoices
            query: {updated_since: "{cursor}", limit: 500}
            paginate: {token: $.next, param: page_token}
            records: {format: json, path: "$.data[*]"}
            key: [id]
            cursor: {field: updated_at, type: timestamptz, start: "2024-01-01T00:00:00Z", lag: 10m}
      drops:
        files: {at: "file:drops/{env}"}
        streams:
          orders:
            match: "orders/*.csv.gz"
            records: {format: csv, delimiter: ";", encoding: latin-1, header: false, null: "-"}
            columns: [order_id, email, amount, ordered_at]
            key: [order_id]
          stock: {match: "stock.ndjson", read: full}
    raw: {to: "file:.sluice/raw"}
    curate:
      orders:
        from: [drops.orders, billing.invoices]
        sql: sql/orders.sql
        columns:
          order_id: {type: int8, required: true}
          email: {type: text, mask: sha256, salt: "secret:pii/salt"}
          amount: {type: "numeric(18, 4)", min: 0}
          currency: {type: varchar, one_of: [CHF, EUR]}
          ordered_at: {type: timestamptz, source_timezone: Europe/Zurich}
        drift: {new_column: fail}
        bad_rows: {to: quarantine, stop_over: 0.5%}
        checks:
          - unique: [order_id]
          - rows: {change_from_last_run: "-20%..+50%"}
          - sql: "select count(*) from orders where amount < 0"
            expect: 0
            severity: warn
        partition_by: {month: ordered_at, value: currency}
        files: {target: 128MB, sort: [order_id]}
      stock: {from: drops.stock}
    load:
      warehouse:
        postgres: {url: "secret:warehouse/loader"}
        tables:
          mart.orders: {from: orders, mode: merge, key: [order_id]}
          stock: {from: stock, mode: merge, key: [id], deletes: {kind: soft, stop_over: 50%}}
    notify:
      - {when: [failed, recovered], webhook: "secret:ops/webhook"}
      - {when: [failed], command: [./bin/page, "{env}"]}
    environments:
      staging: {raw: "file:.sluice/staging", load: {schema_suffix: _stg}, notify: none}
      dev: {sample: {by: order_id, keep: 1%}, load: preview}
      prod:
        pipeline:
          priority: 9
          sources: {billing: {http: {retry: {statuses: [503]}}}}

    """

  static func parse(
    _ text: String, file: String = "pipelines/orders.yaml", environment: String? = nil
  ) -> (pipeline: Pipeline?, diagnostics: [Diagnostic]) {
    PipelineParser.parse(text: text, file: file, environment: environment)
  }
}
