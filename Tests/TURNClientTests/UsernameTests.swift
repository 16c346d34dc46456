import Core
import Testing

@testable import TURNClient

@Suite("ICE user names")
struct UsernameTests {
    private func check(_ username: String, software: String? = nil) -> [UInt8] {
        var attributes: [STUNAttribute] = [.priority(1), .username(username)]
        if let software { attributes.insert(.software(software), at: 0) }
        return STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: .seeded(1)), attributes: attributes
        ).encoded(key: Array("secret".utf8), fingerprint: true)
    }

    @Test("The receiver's half is found without parsing the message", arguments: [nil, "a", "abcde"])
    func found(software: String?) {
        let bytes = check("abcdEFGH:wxyz", software: software)
        #expect(ICEUsername.localFragment(of: bytes.span) == "abcdEFGH")
    }

    @Test(
        "A name that is none of ours has no fragment",
        arguments: ["abcdEFGH", "abc:wxyz", ":wxyz", "ab cd:wxyz", "\u{e9}\u{e9}\u{e9}\u{e9}:wxyz", ""])
    func notFound(username: String) {
        let bytes = check(username)
        #expect(ICEUsername.localFragment(of: bytes.span) == nil)
    }

    @Test("A message cut short or damaged anywhere is survived")
    func damage() {
        let bytes = check("abcdEFGH:wxyz", software: "x")
        for count in bytes.indices {
            #expect(ICEUsername.localFragment(of: Array(bytes[..<count]).span) == nil)
        }
        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                let fragment = ICEUsername.localFragment(of: damaged.span)
                #expect(fragment.map { (4...256).contains($0.utf8.count) } ?? true)
            }
        }
    }

    @Test("Fragments and passwords have the lengths of RFC 8839")
    func lengths() {
        #expect(ICEUsername.isFragment("abcd") && !ICEUsername.isFragment("abc"))
        #expect(!ICEUsername.isFragment(String(repeating: "a", count: 257)) && !ICEUsername.isFragment("ab:d"))
        #expect(ICEUsername.isPassword(String(repeating: "a", count: 22)))
        #expect(!ICEUsername.isPassword(String(repeating: "a", count: 21)))
    }
}
