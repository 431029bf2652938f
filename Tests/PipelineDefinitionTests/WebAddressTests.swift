import PipelineDefinition
import Testing

@Suite("An address for the HTTP client")
struct WebAddressTests {
  @Test(
    "that could end the process is refused",
    arguments: [
      "http://127.0.0.1:65536/", "http://127.0.0.1:70000", "http://[::1]:99999/x", "http://127.0.0.1:0/",
      "http://h:99999999999999999999999/", "http://u:p@127.0.0.1:70000/", "http://127.0.0.1:-1/",
      "https://127.0.0.1:70000?x", "ftp://h/", "unix://x", "http+unix://%2Ftmp", "http://", "h", "",
    ])
  func refused(text: String) { #expect(!WebAddress.isUsable(text)) }

  @Test(
    "is a plain http or https URL",
    arguments: [
      "http://127.0.0.1:65535/", "https://h", "HTTP://h:1/x", "http://[::1]:80/x", "http://[::1]/a:b", "http://h:/",
      "http://u:70000@h/", "https://h/x:99999?y=:99999",
    ])
  func usable(text: String) { #expect(WebAddress.isUsable(text)) }
}
