internal import Core

/// A robot's own AES-128 key, which robots of firmware 1.1.15 and later ask for. No description shows it.
package struct RobotKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let bytes: [UInt8]

    /// 32 hexadecimal digits, with white space around them or not; nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count <= 256, let bytes = [UInt8](hexadecimal: text), bytes.count == AES128GCM.keyLength else {
            return nil
        }
        self.bytes = bytes
    }

    /// A key's file: 32 hexadecimal digits as text, or the 16 bytes themselves, as the robot keeps them.
    package init?(contents: [UInt8]) {
        if contents.count == AES128GCM.keyLength {
            self.init(contents)
        } else {
            self.init(hexadecimal: String(decoding: contents, as: UTF8.self))
        }
    }

    /// The key that firmware 1.1.8 to 1.1.14 uses on every robot, and that some later robots still use.
    package static let common = RobotKey([232, 86, 130, 189, 22, 84, 155, 0, 142, 4, 166, 104, 43, 179, 235, 227])

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package var description: String { "a robot's key" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
