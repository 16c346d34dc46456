/// The rules for an avatar's id: it becomes part of a file name, so nothing but letters, digits, `-` and `_`.
package enum AvatarID {
    package static func isValid(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }

    /// An engine's own id may have dots as well (docs/protocols/engine.md).
    package static func isValidForEngine(_ text: String) -> Bool {
        let withoutDots = text.replacing(".", with: "_")
        return isValid(withoutDots)
    }
}
