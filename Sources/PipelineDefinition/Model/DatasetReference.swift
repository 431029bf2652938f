/// Columns of a dataset whose values are those of a key of a dataset, as a foreign key's are.
///
/// A sample of the data has with a row every row that it names.
package struct DatasetReference: Sendable, Equatable {
  package var columns: [String]
  package var dataset: String
  /// As many as ``columns``, in their order. They need not be the dataset's own key.
  package var key: [String]
  package var place: Place

  package init(columns: [String], dataset: String, key: [String], place: Place = .unknown) {
    self.columns = columns
    self.dataset = dataset
    self.key = key
    self.place = place
  }
}
