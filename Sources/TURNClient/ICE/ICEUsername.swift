internal import Core

/// The `USERNAME` of a connectivity check: the receiver's fragment, a colon, the sender's fragment.
///
/// - SeeAlso: [RFC 8445 §7.2.2](https://www.rfc-editor.org/rfc/rfc8445#section-7.2.2)
package enum ICEUsername {
    /// The receiver's half, read straight from the bytes of a Binding request: enough to find the peer a datagram is
    /// meant for, without parsing (or trusting) the rest of it.
    ///
    /// ```
    /// 0 type | 2 length | 4 magic cookie | 8 transaction (12) | 20 attributes: type(2) length(2) value, padded to 4
    /// ```
    package static func localFragment(of message: Span<UInt8>) -> String? {
        let headerBytes = 20
        guard message.count >= headerBytes, message[0] < 4, message.uint32(at: 4) == 0x2112_A442 else { return nil }
        let end = headerBytes + Int(message.uint16(at: 2))
        guard end <= message.count else { return nil }
        var offset = headerBytes
        while offset + 4 <= end {
            let type = message.uint16(at: offset)
            let length = Int(message.uint16(at: offset + 2))
            let value = offset + 4
            guard value + length <= end else { return nil }
            if type == 0x0006 { return firstHalf(message.extracting(value..<(value + length))) }
            offset = value + (length + 3) / 4 * 4
        }
        return nil
    }

    private static func firstHalf(_ username: Span<UInt8>) -> String? {
        var fragment: [UInt8] = []
        for index in username.indices {
            let byte = username[index]
            if byte == 0x3A { return fragment.count >= 4 ? String(decoding: fragment, as: UTF8.self) : nil }
            guard isICECharacter(byte), fragment.count < 256 else { return nil }
            fragment.append(byte)
        }
        return nil
    }

    /// A letter, a digit, `+` or `/` (RFC 8839 §5.1 `ice-char`).
    package static func isICECharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: true
        // Not in the grammar, yet written by peers in use (base64url alphabets).
        case 0x2D, 0x5F: true
        default: false
        }
    }

    /// 4 to 256 `ice-char` (RFC 8839 §5.4).
    package static func isFragment(_ text: some StringProtocol) -> Bool {
        (4...256).contains(text.utf8.count) && text.utf8.allSatisfy(isICECharacter)
    }

    /// 22 to 256 `ice-char` (RFC 8839 §5.4).
    package static func isPassword(_ text: some StringProtocol) -> Bool {
        (22...256).contains(text.utf8.count) && text.utf8.allSatisfy(isICECharacter)
    }
}
