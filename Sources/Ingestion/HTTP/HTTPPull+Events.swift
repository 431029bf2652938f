import PipelineDefinition

/// What is kept with the run about a pull that succeeded.
extension HTTPPull {
  var nothingRead: PullEvent {
    PullEvent(
      .noPages,
      "\(context.label): the first page was answered \(endStatus ?? 0), which `end` takes for \"no more pages\": nothing was "
        + "read; check base_url and the stream's path if that is not expected")
  }

  func cursorEvents(_ cursor: Cursor) -> [PullEvent] {
    var events: [PullEvent] = []
    if state.records > 0, state.cursorMax == nil, state.cursorBeyond == nil {
      events.append(
        PullEvent(
          .unreadCursor,
          "\(context.label): none of \(state.records) records has a \(cursor.type) in \(cursor.field), so the cursor stays "
            + "where it is and the next run reads the same; check `cursor: {field: …, type: …}`"))
    }
    if let beyond = state.cursorBeyond {
      let records = beyond.records == 1 ? "1 record has its" : "\(beyond.records) records have their"
      events.append(
        PullEvent(
          .limitedCursor,
          "\(context.label): \(records) \(cursor.field) beyond the cursor's max, up to \(beyond.highest): the "
            + "cursor does not move past it, and what is beyond comes again"))
    }
    if movesCursor, let place = newCursor ?? storedCursor,
      FarCursor.isFar(place, of: cursor, now: timing.wallSeconds(), clock: clock)
    {
      events.append(
        PullEvent(
          .farCursor,
          "\(context.label): the cursor \(cursor.field) is at \(place), ahead of the present, and runs ask only for records "
            + "after it; if no record is that new, write `cursor: {max: now+1d}`: the next run then begins where "
            + "the cursor was before"))
    }
    return events
  }
}
