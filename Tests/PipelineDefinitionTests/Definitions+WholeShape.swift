/// The whole format in one file, as its description shows it; most of it is for later versions.
extension Definitions {
  static let wholeShape = #"""
    pipeline: orders_nightly
    owner: data@acme.example
    schedule: {cron: "15 21 * * *", timezone: Europe/Zurich, overlap: skip, catch_up: latest}
    deadline: {loaded_by: "05:30", timezone: Europe/Zurich}    # drives the autoscaler and the late alert
    on_deploy: finish                                 # or: handover (move to the new release at the next checkpoint)

    sources:
      billing:
        http:
          base_url: ${BILLING_URL}
          auth: {bearer: "secret:billing/token"}      # bearer | basic | header | query | oauth2_client_credentials
          limits: {requests_per_second: 10, in_flight: 4}      # one limiter per host for the whole fleet
          retry: {statuses: [429, 5xx, timeout], max: 8, retry_after: honour, give_up_after: 30m}
        streams:
          invoices:
            get: /v2/invoices
            query: {updated_since: "{cursor}", limit: 500}
            paginate: {token: $.next, param: page_token}       # token | link_header | next_url | page | offset | none
            records: {format: json, path: "$.data[*]"}         # json | ndjson | csv | xml | parquet | bytes
            key: [id]
            cursor: {field: updated_at, type: timestamptz, start: "2024-01-01T00:00:00Z", lag: 10m}
      shop:
        postgres: {url: "secret:shop/readonly", connections: 4, max_rate: 40MB/s,
                   yield_when: {active_sessions: 60, replica_lag: 30s}}
        streams:
          orders:    {table: public.orders, key: [order_id], cursor: {field: updated_at, lag: 15m}}
          customers: {table: public.customers, key: [customer_id], read: full, omit: [password_hash]}
      drops:
        files: {at: "s3://partner-drops/{env}/"}               # file: | s3: | sftp:
        streams:
          stock: {match: "stock/*.csv.gz", records: {format: csv, delimiter: ";", encoding: latin-1}}
      crm:
        singer: {command: [tap-rest-api-msdk], config: {api_url: "${CRM_URL}"}}   # any Singer tap; its STATE is the checkpoint
        streams: {contacts: {}}
      legacy:
        program: {command: [./bin/pull-legacy, --since, "{cursor}"]}              # any language
        streams: {bookings: {records: {format: ndjson}}}

    raw: {to: "s3://acme-raw/{env}", keep: 400d}               # bytes as received; never rewritten

    curate:
      orders:
        from: [shop.orders, shop.customers, billing.invoices]
        sql: sql/orders.sql                                    # absent: the stream as it is, typed by `columns`
        columns:
          order_id:   {type: bigint, required: true}
          email:      {type: text, mask: sha256, salt: "secret:pii/salt"}
          amount:     {type: "decimal(18,4)", min: 0}
          currency:   {type: text, one_of: [CHF, EUR, USD]}
          ordered_at: {type: timestamptz, source_timezone: Europe/Zurich}
        drift: {new_column: keep_in_raw, missing_column: fail, type_change: quarantine}
        bad_rows: {to: quarantine, stop_over: 0.5%}
        checks:
          - unique: [order_id]
          - rows: {change_from_last_run: "-20%..+50%"}
          - sql: "select count(*) from orders where ordered_at > now() + interval 1 day"
            expect: 0
            severity: warn
        partition_by: {month: ordered_at}
        files: {target: 256MB, sort: [order_id]}
        engine: duckdb                                         # or spark, where one machine is outgrown

    load:
      warehouse:
        postgres: {url: "secret:warehouse/loader"}
        window: {days: daily, from: "23:00", until: "05:00", timezone: Europe/Zurich, at_end: pause}   # or: {quiet: auto}
        throttle: {streams: 6, commit_p95: 250ms, active_sessions: 80, replica_lag: 30s}
        tables:
          mart.orders: {from: orders, mode: merge, key: [order_id], deletes: soft,
                        verify: {rows: true, checksum: [order_id, amount]}}

    notify:
      - {when: [failed, late, quarantined, schema_drift], sns: "arn:aws:sns:eu-central-1:111122223333:etl"}
      - {when: [failed, recovered], webhook: "secret:ops/webhook", group: 10m}

    environments:
      dev:     {raw: "file:.sluice/raw", sample: {by: order_id, keep: 1%, max_rows: 50000}, load: preview, notify: none}
      staging: {sample: {by: order_id, keep: 10%}, load: {schema_suffix: _stg, window: any}}
      prod:    {}

    tests:
      - {name: a late invoice wins, given: tests/late_invoice/, expect: tests/late_invoice/expected.csv}

    """#
}
