package import Core

/// The answer to an order: `{status, message, data}`, in the former service's words.
package struct ControlAnswer: Equatable, Sendable {
    package var isSuccess: Bool
    package var message: String
    /// Nil: the member is left out.
    package var data: JSONValue?
    /// For programs; sent to clients that ask for it.
    package var errorCode: String?
    /// Members that only such clients get.
    package var extras: [String: JSONValue] = [:]

    package static func success(
        _ message: String, _ data: JSONValue? = nil, extras: [String: JSONValue] = [:]
    ) -> ControlAnswer {
        ControlAnswer(isSuccess: true, message: message, data: data, errorCode: nil, extras: extras)
    }

    package static func error(_ code: String, _ message: String, data: JSONValue? = nil) -> ControlAnswer {
        ControlAnswer(isSuccess: false, message: message, data: data, errorCode: code)
    }

    init(isSuccess: Bool, message: String, data: JSONValue?, errorCode: String?, extras: [String: JSONValue] = [:]) {
        self.isSuccess = isSuccess
        self.message = message
        self.data = data
        self.errorCode = errorCode
        self.extras = extras
    }

    package init(_ refusal: ControlOrder.Refusal) {
        self = .error(refusal.code, refusal.message)
    }

    /// How a call ended. Whatever became of it the outer status is `success`, but without a project.
    package init(_ outcome: CallOutcome, of method: String) {
        switch outcome {
        case .value(let value):
            self = .success("\(method) executed", ["status": "success", "result": value])
        case .error(code: "no_project", message: _, traceback: _):
            self = .error("no_project", "No project loaded", data: [:])
        case .error(let code, let message, let traceback):
            self = .success("\(method) executed", ["status": "error", "message": .string(message)])
            extras = ["error_code": .string(code), "traceback": JSONValue(traceback)]
        }
    }

    /// - Parameter isExtended: whether the client knows more than the former service said.
    package func json(isExtended: Bool) -> JSONValue {
        var members: [String: JSONValue] = [
            "status": isSuccess ? "success" : "error", "message": .string(message),
        ]
        if let data { members["data"] = data }
        guard isExtended else { return .object(members) }
        if let errorCode { members["error_code"] = .string(errorCode) }
        if !extras.isEmpty {
            guard case .object(let known) = data ?? [:] else { return .object(members) }
            members["data"] = .object(known.merging(extras) { known, _ in known })
        }
        return .object(members)
    }
}
