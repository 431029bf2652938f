import DuckDB

/// What DuckDB says of its own functions, by their names in lower case.
struct EngineFunctions: Sendable {
  /// Functions that give another result at another time.
  let unstable: Set<String>
  let aggregates: Set<String>

  /// Asked of each child once: the list takes longer than parsing a SELECT, which is checked several times.
  static func of(_ session: DuckDBSession) async throws -> EngineFunctions {
    let rows = try await session.constantRows(list)
    func names(_ kind: String) -> Set<String> {
      Set(rows.filter { $0[kind]?.bool == true }.compactMap { $0["name"]?.text?.lowercased() })
    }
    return EngineFunctions(unstable: names("is_unstable"), aggregates: names("is_aggregate"))
  }

  /// Built-in macros that are aggregates have no type of their own.
  private static let list = """
    with known as (
      select function_name as name, function_type = 'scalar' and stability <> 'CONSISTENT'
          or function_type in ('macro', 'table_macro') and regexp_matches(lower(macro_definition),
            'current_|now\\(|today\\(|random|uuid|getvariable|pg_|duckdb_|pragma|\\(select ') as is_unstable,
        function_type = 'aggregate' or function_name in ('wavg', 'weighted_avg', 'geomean', 'geometric_mean')
          as is_aggregate
      from duckdb_functions())
    select name, coalesce(bool_or(is_unstable), false) as is_unstable,
      coalesce(bool_or(is_aggregate), false) as is_aggregate
    from known where is_unstable or is_aggregate group by name
    """
}
