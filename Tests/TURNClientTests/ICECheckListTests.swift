import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE check list")
struct ICECheckListTests {
    private let local = Candidate(type: .host, address: SocketAddress("5.0.0.1:1")!)

    private func remote(_ port: UInt16, foundation: String = "a", priority: UInt32 = 100) -> Candidate {
        Candidate(
            foundation: foundation, priority: priority, address: SocketAddress(IPAddress("6.0.0.1")!, port),
            type: .host)
    }

    private func key(_ port: UInt16) -> CandidatePair.Key {
        .init(local: LocalCandidateID(0), remote: SocketAddress(IPAddress("6.0.0.1")!, port))
    }

    @Test("The pair priority is RFC 8445's, the same on both sides")
    func priority() {
        let near = remote(1, priority: 7)
        var far = local
        far.priority = 9
        let pair = CandidatePair(key: key(1), local: far, remote: near, state: .waiting)
        #expect(pair.priority(as: .controlling) == 7 << 32 + 18 + 1)
        #expect(pair.priority(as: .controlled) == 7 << 32 + 18)
        let mirrored = CandidatePair(key: key(1), local: near, remote: far, state: .waiting)
        #expect(mirrored.priority(as: .controlled) == pair.priority(as: .controlling))
        let greatest = remote(1, priority: UInt32(Int32.max))
        let extreme = CandidatePair(key: key(1), local: greatest, remote: greatest, state: .waiting)
        #expect(extreme.priority(as: .controlling) > pair.priority(as: .controlling))
    }

    @Test("Pairs are kept best first, whichever order they come in")
    func order() {
        for seed in 0..<50 {
            let random = RandomSource.seeded(UInt64(seed))
            var list = CheckList(role: .controlled, limit: 20)
            for port in 1...20 {
                let candidate = remote(UInt16(port), foundation: "\(port)", priority: random.uint32() >> 1)
                #expect(list.insert(key(UInt16(port)), local: local, remote: candidate) == .inserted)
            }
            let priorities = list.pairs.map { $0.priority(as: .controlled) }
            #expect(priorities == priorities.sorted(by: >))
            list.switchRole(to: .controlling)
            let switched = list.pairs.map { $0.priority(as: .controlling) }
            #expect(switched == switched.sorted(by: >))
        }
    }

    @Test("Of one foundation one pair is tried first; a success frees the rest, a failure the next")
    func freezing() {
        var list = CheckList(role: .controlled, limit: 10)
        for port: UInt16 in 1...4 { _ = list.insert(key(port), local: local, remote: remote(port)) }
        #expect(list.pairs.map(\.state) == [.waiting, .frozen, .frozen, .frozen])
        list.update(key(1)) { $0.state = .failed }
        list.thaw()
        #expect(list.pairs.map(\.state) == [.failed, .waiting, .frozen, .frozen])
        list.update(key(2)) { $0.state = .succeeded }
        list.thaw(foundationOf: key(2))
        #expect(list.pairs.map(\.state) == [.failed, .succeeded, .waiting, .waiting])
    }

    @Test("A first attempt without an answer frees the next pair of the foundation")
    func thawsNext() {
        var list = CheckList(role: .controlled, limit: 10)
        for port: UInt16 in 1...3 { _ = list.insert(key(port), local: local, remote: remote(port)) }
        list.thawNext(foundationOf: key(1))
        #expect(list.pairs.map(\.state) == [.waiting, .waiting, .frozen])
    }

    @Test("At the limit the worst untried pair makes room for a better one, and any for one that was heard")
    func limit() {
        var list = CheckList(role: .controlled, limit: 3)
        for port: UInt16 in 1...3 {
            _ = list.insert(key(port), local: local, remote: remote(port, priority: UInt32(port) * 100))
        }
        #expect(list.insert(key(4), local: local, remote: remote(4, priority: 50)) == .full)
        #expect(list.insert(key(5), local: local, remote: remote(5, priority: 500)) == .inserted)
        #expect(list[key(1)] == nil && list.pairs.count == 3)
        #expect(list.insert(key(6), local: local, remote: remote(6, priority: 1), isHeard: true) == .inserted)
        #expect(list.pairs.count == 3)
        for pair in list.pairs { list.update(pair.key) { $0.state = .succeeded } }
        #expect(list.insert(key(7), local: local, remote: remote(7), isHeard: true) == .full)
        #expect(list.insert(key(6), local: local, remote: remote(6)) == .existing)
    }

    @Test("Triggered checks go first in, first out, each once")
    func triggered() {
        var list = CheckList(role: .controlled, limit: 10)
        for port: UInt16 in 1...3 { _ = list.insert(key(port), local: local, remote: remote(port)) }
        list.trigger(key(3))
        list.trigger(key(2))
        list.trigger(key(3))
        list.trigger(key(9))
        #expect(list.nextTriggered() == key(3))
        #expect(list.nextTriggered() == key(2))
        #expect(list.nextTriggered() == nil)
    }
}
