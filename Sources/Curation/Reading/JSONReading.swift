import DuckDB
import PipelineDefinition

/// The SQL that reads lines of JSON into a stream's table.
enum JSONReading {
  /// Puts every line of NDJSON files, or of documents split into lines, into the table; only good records are counted.
  static func insertLines(_ paths: [String], into table: String) -> String {
    """
    insert into \(table) (_object, _n, _line, _state, _record)
    select o.id, s._n, s._line, s._state, s.line
    from (
      select *, row_number() over () as _line,
        sum(case when _state = 0 then 1 else 0 end) over (rows unbounded preceding) as _n
      from (select _path, line, \(state("line")) as _state from \(CSVReading.lineScan(paths)))
    ) s join raw.objects o on o.path = s._path
    """
  }

  private static func state(_ line: String) -> String {
    """
    case when \(line) is null or trim(\(line), ' ' || chr(9) || chr(13)) = '' then \(RecordTable.State.blank.rawValue)
      when not json_valid(\(line)) then \(RecordTable.State.bad.rawValue)
      when json_type(\(line)) <> 'OBJECT' then \(RecordTable.State.bad.rawValue)
      else \(RecordTable.State.good.rawValue) end
    """
  }

  /// Moves lines that are no record to the rejects. Their number counts the lines that the scan itself rejected.
  static func takeBadLines(of table: String, stream: Int) -> String {
    """
    insert into raw.rejects
    with bad as (
      select r._object, r._record, r._line - first.line + 1 as line
      from \(table) r left join (select _object, min(_line) as line from \(table) group by all) first using (_object)
      where r._state = \(RecordTable.State.bad.rawValue)
    ), gaps as (
      select object, line - row_number() over (partition by object order by line) + 1 as before
      from raw.rejects where stream = \(stream) and list_contains(reasons, 'record:encoding')
    )
    select \(stream), b._object, null,
      b.line + (select count(*) from gaps g where g.object = b._object and g.before <= b.line), null,
      [case when json_valid(b._record) then 'record:not_an_object' else 'record:json' end], b._record,
      null, null
    from bad b
    """
  }

  /// The names of the fields of all good records, in order of their names.
  static func fieldNames(of table: String) -> String {
    """
    select distinct unnest(json_keys(_record)) as name from \(table) where _state = \(RecordTable.State.good.rawValue)
    order by name
    """
  }

}
