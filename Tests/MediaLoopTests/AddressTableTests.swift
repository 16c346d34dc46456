import Core
import TURNClient
import Testing

@testable import MediaLoop

@Suite struct AddressTableTests {
    private let first = ViewerID(1)
    private let second = ViewerID(2)

    private func path(_ port: UInt16, local: UInt8 = 0) -> AddressTable.Path {
        AddressTable.Path(local: LocalCandidateID(local), remote: SocketAddress(.loopbackV4, port))
    }

    @Test("An address moves to the viewer that authenticates itself from it")
    func moves() {
        var table = AddressTable()
        table.claim(path(1000), for: first)
        #expect(table.viewer(at: path(1000)) == first)
        table.claim(path(1000), for: second)
        #expect(table.viewer(at: path(1000)) == second)
        // The former owner's end takes nothing from the new one.
        table.remove(first, fragments: [])
        #expect(table.viewer(at: path(1000)) == second)
    }

    @Test("The same address on another transport is another path")
    func transports() {
        var table = AddressTable()
        table.claim(path(1000, local: 0), for: first)
        #expect(table.viewer(at: path(1000, local: 1)) == nil)
    }

    @Test("A viewer's oldest address makes room for its newest")
    func limit() {
        var table = AddressTable()
        let ports = UInt16(1000)...UInt16(1000 + AddressTable.maximumPathsPerViewer)
        for port in ports { table.claim(path(port), for: first) }
        #expect(table.viewer(at: path(ports.lowerBound)) == nil)
        #expect(table.viewer(at: path(ports.upperBound)) == first)
        #expect(ports.count { table.viewer(at: path($0)) == first } == AddressTable.maximumPathsPerViewer)
    }

    @Test("The address in use does not make room for others that are merely tried")
    func keepsAddressInUse() {
        var table = AddressTable()
        table.claim(path(999), for: first)
        for port in UInt16(1000)..<1100 {
            table.claim(path(port), for: first)
            table.claim(path(999), for: first)
        }
        #expect(table.viewer(at: path(999)) == first)
    }

    @Test("A fragment leads to its viewer until the viewer is gone")
    func fragments() {
        var table = AddressTable()
        table.register(fragment: "abcd", for: first)
        table.register(fragment: "efgh", for: first)
        table.register(fragment: "ijkl", for: second)
        #expect(table.viewer(withFragment: "abcd") == first)
        table.claim(path(1), for: first)
        table.remove(first, fragments: ["abcd", "efgh", "ijkl"])
        #expect(table.viewer(withFragment: "abcd") == nil && table.viewer(withFragment: "efgh") == nil)
        #expect(table.viewer(withFragment: "ijkl") == second)
        #expect(table.viewer(at: path(1)) == nil)
    }

    @Test("Checks that nobody answers are forgotten, oldest first, and the newest stay")
    func pendingChecks() {
        var table = AddressTable()
        let random = RandomSource.seeded(3)
        let ids = (0..<(AddressTable.maximumPendingChecks * 2 + 10)).map { _ in STUNTransactionID(random: random) }
        for id in ids { table.note(check: id, of: first) }
        #expect(table.viewer(awaiting: ids[0]) == nil)
        let kept = ids.suffix(AddressTable.maximumPendingChecks)
        #expect(kept.allSatisfy { table.viewer(awaiting: $0) == first })
        #expect(ids.count { table.viewer(awaiting: $0) != nil } == AddressTable.maximumPendingChecks)
    }

    @Test("A check's retransmission is the same check")
    func retransmission() {
        var table = AddressTable()
        let id = STUNTransactionID(random: .seeded(1))
        for _ in 0..<10 { table.note(check: id, of: first) }
        #expect(table.viewer(awaiting: id) == first)
    }
}
