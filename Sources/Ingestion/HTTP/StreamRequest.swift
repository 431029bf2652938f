import FoundationEssentials
import JobModel
import PipelineDefinition

/// What one stream asks its source for, with every template filled in. Lives in memory only: it may hold secrets.
struct StreamRequest: Sendable {
  let method: String
  let first: PageURL
  let body: String?
  /// Those of authentication.
  let headers: [(name: String, value: String)]
  /// Authentication by a query parameter: added to every request, kept nowhere.
  let secretParameter: (name: String, value: String)?
  /// The secrets that the request needs, for hints.
  let secretNames: [String]
  /// Whether any part of it proves who asks: authentication of any kind, or a secret or a variable in query or body. Such a
  /// request goes to no other host. (A variable counts, for nothing says that it is no secret.)
  let holdsSecrets: Bool
  let redirects: HTTPRequest.Redirects
  /// The parameters whose values may be shown.
  private let shownParameters: Set<ExactText>
  /// The parameters that hold secrets, that of authentication included.
  private let secretParameters: [(name: String, value: String)]
  /// Every value that a secret or a variable gave, as it may come again in a link of the source.
  private let secretValues: [String]
  /// What a redirect to another host must not hold: what secrets gave, and the credentials of the headers.
  private let withheldValues: [String]

  /// - Throws: A terminal failure where a variable, a secret or a placeholder is missing, or what they make up is no URL.
  init(_ request: HTTPRequest, of source: HTTPSource, resolver: ValueResolver, label: String) throws {
    var secrets: [String] = []
    var values: [String] = []
    var withheld: [String] = []
    func fill(_ template: ValueTemplate) throws -> String {
      for case .secret(let name) in template.parts {
        secrets.append(name)
        withheld += Self.withheldValues(ofSecret: (try? resolver.secret(name)) ?? "")
      }
      defer { values += Self.secretValues(of: template, resolver) }
      do { return try template.resolved(with: resolver) } catch let error as TemplateError {
        throw StageFailure(
          code: "value_missing",
          message: "\(label): the \(error.missing.rawValue) \(error.name) is not known to this process",
          hint: "set it where the worker runs", at: "\(error.place)")
      }
    }
    let base = try fill(source.baseURL)
    guard var url = PageURL(base: base, path: try fill(request.path)) else {
      throw StageFailure(
        code: "source_url", message: "\(label): base_url and path make up no http or https URL",
        hint: "write base_url as https://host; a port is a number from 1 to 65535", at: "\(source.baseURL.place)")
    }
    var shown: Set<ExactText> = []
    var hidden: [(name: String, value: String)] = []
    for (name, template) in request.query where !(template.isUntil && resolver.placeholders["until"] == nil) {
      let value = try fill(template)
      url = url.setting(name, to: value)
      if template.parts.allSatisfy(Self.isShown) { shown.insert(ExactText(name)) } else { hidden.append((name, value)) }
    }
    switch request.paginate {
    case .page(let param, _), .offset(let param, _): shown.insert(ExactText(param))
    case .token, .none, .nextURL, .linkHeader: break
    }
    (headers, secretParameter) = try Self.authentication(source.auth, fill)
    method = request.method
    first = url
    body = try request.body.map(fill)
    secretNames = secrets
    shownParameters = shown
    secretParameters = hidden + [secretParameter].compactMap { $0 }
    secretValues = values
    withheldValues = withheld + headers.compactMap { $0.value.split(separator: " ").last.map(String.init) }
    let isOpen = ([request.path] + [request.body].compactMap { $0 }).allSatisfy { $0.parts.allSatisfy(Self.isShown) }
    holdsSecrets = !headers.isEmpty || !secretParameters.isEmpty || !isOpen || first.namesUser
    redirects = request.redirects
  }

  /// For the manifest and for people: no value that a secret or a variable of the environment gave.
  func shown(_ url: PageURL) -> String { hidden(url.shown { shownParameters.contains(ExactText($0)) }) }

  /// For messages: the path without any value that a secret or a variable of the environment gave.
  func shownPath(_ url: PageURL) -> String { hidden(url.path) }

  private func hidden(_ text: String) -> String { PageURL.masking(text, secretValues) { _, _ in "…" } }

  /// What is kept of a link for the next request: a mark in the place of each secret value, and no parameter of authentication.
  func kept(_ url: PageURL) -> String {
    let url = withoutSecret(url)
    return PageURL.masking(url.text, secretValues) { "{\($1 ? "plain" : "encoded")-\($0)}" }
  }

  /// The link that was kept; nil where it is no URL.
  func restored(_ text: String) -> PageURL? {
    var text = text
    for (index, value) in secretValues.enumerated() {
      text = text.replacing("{plain-\(index)}", with: value)
        .replacing("{encoded-\(index)}", with: PageURL.encoded(value))
    }
    return PageURL(text)
  }

  /// A link without the parameter of authentication, which ``sent(_:)`` adds again.
  func withoutSecret(_ url: PageURL) -> PageURL { secretParameter.map { url.removing($0.name) } ?? url }

  /// What goes over the wire.
  func sent(_ url: PageURL) -> String { (secretParameter.map { url.setting($0.name, to: $0.value) } ?? url).text }

  /// A redirect's target on another host, without user and password, and without our secrets where the source copied them into
  /// the target. A parameter of the same name with another value is the target's own, such as a signature.
  func stripped(_ url: PageURL) -> PageURL {
    secretParameters.reduce(url.withoutUser) { $0.removing($1.name, value: $1.value) }
  }

  /// Whether a redirect's target on another host holds what the request keeps to itself, because the source copied it there from
  /// the path, say. It cannot be taken out: the target would be another one.
  func isDisclosed(by url: PageURL) -> Bool {
    url.mentions(withheldValues.filter { $0.utf8.count >= Self.shortestSecret })
  }

  /// A shorter value is no secret, and would be found in every other link.
  private static let shortestSecret = 4

  /// Of a value that is a whole URL, the host stays open: only user, password and path count.
  private static func secretValues(of template: ValueTemplate, _ resolver: ValueResolver) -> [String] {
    template.parts.flatMap { part -> [String] in
      let value: String
      let shortest: Int
      switch part {
      case .literal, .placeholder: return []
      case .environment(let name): (value, shortest) = (resolver.environment(name) ?? "", shortestSecret)
      case .secret(let name): (value, shortest) = ((try? resolver.secret(name)) ?? "", 1)
      }
      return (secretValues(ofURL: value) ?? [value]).filter { $0.utf8.count >= shortest }
    }
  }

  /// User and password, then the path; nil where the value is no whole URL.
  private static func secretValues(ofURL value: String) -> [String]? {
    guard let scheme = value.firstRange(of: "://") else { return nil }
    let rest = value[scheme.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest[authority.endIndex...].drop { $0 == "/" }
    let user = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
    return [String(user), String(path.last == "/" ? path.dropLast() : path)]
  }

  /// A secret, and where it is a whole URL, its parts that are no host.
  private static func withheldValues(ofSecret value: String) -> [String] {
    let parts = secretValues(ofURL: value) ?? []
    // User and password, one by one.
    return [value] + parts + parts.prefix(1).flatMap { $0.split(separator: ":").map(String.init) }
  }

  private static func isShown(_ part: ValueTemplate.Part) -> Bool {
    switch part {
    case .literal, .placeholder: true
    case .environment, .secret: false
    }
  }

  private static func authentication(
    _ auth: HTTPAuth?, _ fill: (ValueTemplate) throws -> String
  ) throws -> ([(name: String, value: String)], (name: String, value: String)?) {
    switch auth {
    case nil: return ([], nil)
    case .bearer(let token): return ([("Authorization", "Bearer " + (try fill(token)))], nil)
    case .basic(let user, let password):
      let pair = Data((try fill(user) + ":" + (try fill(password))).utf8).base64EncodedString()
      return ([("Authorization", "Basic " + pair)], nil)
    case .header(let name, let value): return ([(name, try fill(value))], nil)
    case .query(let name, let value): return ([], (name, try fill(value)))
    }
  }
}
