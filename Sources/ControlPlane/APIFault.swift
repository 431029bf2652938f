import FoundationEssentials
import Hummingbird
import JobModel
import NIOCore

/// An answer of the API that is not what was asked for: `{"error":{"code":…,"message":…,"hint":…}}`.
package struct APIFault: Error, Equatable {
  package var status: HTTPResponse.Status
  package var code: String
  package var message: String
  package var hint: String?
  /// When a client may ask again.
  package var retryAfterSeconds: Int?
  /// The method that the path takes.
  var allowed: HTTPRequest.Method?

  package init(_ status: HTTPResponse.Status, _ code: String, _ message: String, hint: String? = nil) {
    self.status = status
    self.code = code
    self.message = message
    self.hint = hint
    retryAfterSeconds = status == .serviceUnavailable ? 1 : nil
  }

  package init(_ failure: any Failure) {
    let status: HTTPResponse.Status =
      switch failure.code {
      case "unknown_pipeline", "unknown_environment": .notFound
      case "paused": .conflict
      default: failure.isTransient ? .serviceUnavailable : .unprocessableContent
      }
    self.init(status, failure.code, failure.message, hint: failure.hint)
  }

  var body: ByteBuffer {
    struct Body: Encodable {
      struct Fault: Encodable { var code, message: String, hint: String? }
      var error: Fault
    }
    let body = try? StatusReport.encoder.encode(Body(error: .init(code: code, message: message, hint: hint)))
    return ByteBuffer(bytes: body ?? Data())
  }

  var response: Response {
    var headers: HTTPFields = [.contentType: "application/json"]
    if let retryAfterSeconds { headers[.retryAfter] = "\(retryAfterSeconds)" }
    if let allowed { headers[.allow] = allowed.rawValue }
    if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
    return Response(status: status, headers: headers, body: .init(byteBuffer: body))
  }
}
