internal import Core

/// What `POST /v1/sessions/{id}/speak` has the avatar say.
package enum SpeechRequest: Equatable, Sendable {
    case text(String)
    /// A whole audio file.
    case recording([UInt8])

    /// Reads the body: one of `text`, `ssml` and `audio`.
    package static func parse(_ body: [UInt8]) throws(RequestError) -> SpeechRequest {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw RequestError(422, "The body must be a JSON object")
        }
        let given = ["text", "ssml", "audio"].filter { json[$0] != nil && json[$0]?.isNull == false }
        guard given.count == 1, let field = given.first else {
            throw RequestError(422, "The body must have one of text, ssml and audio")
        }
        guard let value = json[field]?.stringValue, value.contains(where: { !$0.isWhitespace }) else {
            throw RequestError(422, "\(field) must be a text that is not empty")
        }
        switch field {
        case "text": return .text(try limited(value, field))
        case "ssml":
            do throws(SpeechMarkupError) {
                return .text(try SpeechMarkup.text(of: value))
            } catch {
                throw RequestError(422, error.reason)
            }
        default:
            do throws(ClientMessageError) {
                return .recording(try Recording.decode(value, field: field))
            } catch {
                throw RequestError(422, error.content)
            }
        }
    }

    private static func limited(_ text: String, _ field: String) throws(RequestError) -> String {
        guard text.utf8.count <= ClientMessageLimits.content else {
            throw RequestError(422, ClientMessageError.tooLong(field, ClientMessageLimits.content).content)
        }
        return text
    }
}
