package import Core

/// Why a binary message is not taken.
package enum BinaryMessageError: Error, Hashable, Sendable {
    /// Shorter than its own header says.
    case truncated
    case header(RobotJSONError)
}

/// A binary message of the robot: JSON, and bytes behind it.
///
/// All numbers are little-endian. Layout A, the ordinary one:
/// ```
///  0               2               4
/// +---------------+---------------+--- … ---+--- … ---+
/// |  JSON bytes   |       0       |  JSON   | payload |
/// +---------------+---------------+--- … ---+--- … ---+
/// ```
/// Layout B, told by its first four bytes `02 00 00 00`:
/// ```
///  0               2               4               8              12
/// +---------------+---------------+---------------+---------------+--- … ---+--- … ---+
/// |       2       |       0       |  JSON bytes   |    padding    |  JSON   | payload |
/// +---------------+---------------+---------------+---------------+--- … ---+--- … ---+
/// ```
package struct BinaryMessage: Equatable, Sendable {
    package var header: JSONValue
    package var payload: [UInt8]

    package init(parsing bytes: [UInt8]) throws(BinaryMessageError) {
        guard bytes.count >= 4 else { throw .truncated }
        let count: Int
        let offset: Int
        if bytes[0] == 2, bytes[1] == 0, bytes[2] == 0, bytes[3] == 0 {
            guard bytes.count >= 12 else { throw .truncated }
            count = Int(bytes[4]) | Int(bytes[5]) << 8 | Int(bytes[6]) << 16 | Int(bytes[7]) << 24
            offset = 12
        } else {
            count = Int(bytes[0]) | Int(bytes[1]) << 8
            offset = 4
        }
        guard count <= bytes.count - offset else { throw .truncated }
        do {
            header = try RobotJSON.parse(Array(bytes[offset..<offset + count]))
        } catch {
            throw .header(error)
        }
        payload = Array(bytes[(offset + count)...])
    }
}
