import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("STUN on the relay's port")
struct BindingTests {
    @Test("a Binding request is answered with the client's address, with a fingerprint where it had one")
    func binding() throws {
        var relay = RelayUnderTest()
        let path = TURNClientPath.udp(SocketAddress(.v4(0x0A00_0001), 777))
        for fingerprint in [false, true] {
            let request = STUNMessage.request(.binding, transactionID: relay.transactionID())
            let answer = relay.answer(to: request.encoded(fingerprint: fingerprint), from: path)
            let reply = try #require(answer)
            let message = try STUNMessage(reply.span)
            #expect(message.messageClass == .successResponse)
            #expect(message.transactionID == request.transactionID)
            #expect(message.xorMappedAddress == path.address)
            #expect(STUNMessage.hasValidFingerprint(reply.span) == fingerprint)
        }
        #expect(relay.server.counters.bindingRequestsAnswered == 2)
    }

    @Test("a Binding request with an attribute that must be understood is 420")
    func unknownAttribute() throws {
        var relay = RelayUnderTest()
        let path = TURNClientPath.udp(SocketAddress(.v4(0x0A00_0001), 777))
        let request = STUNMessage.request(
            .binding, transactionID: relay.transactionID(), attributes: [.unknown(type: 0x7F00, value: [])])
        let answer = relay.answer(to: request.encoded(), from: path)
        let reply = try #require(answer)
        let message = try STUNMessage(reply.span)
        #expect(message.errorCode?.code == 420)
        #expect(message.unknownAttributes == [0x7F00])
    }

    @Test("responses, foreign indications and damaged messages are dropped")
    func dropped() throws {
        var relay = RelayUnderTest()
        let path = TURNClientPath.udp(SocketAddress(.v4(0x0A00_0001), 777))
        let request = STUNMessage.request(.binding, transactionID: relay.transactionID())
        var damaged = request.encoded(fingerprint: true)
        damaged[10] ^= 1
        let hostile = [
            STUNMessage.success(to: request).encoded(), STUNMessage.error(to: request, code: 401, reason: "").encoded(),
            STUNMessage.indication(.data, transactionID: relay.transactionID()).encoded(),
            STUNMessage.request(.init(rawValue: 0x0A), transactionID: relay.transactionID()).encoded(),
            damaged, Array(request.encoded().dropLast()), [0, 1, 0, 0], [], [0xFF],
        ]
        for bytes in hostile { #expect(relay.answer(to: bytes, from: path) == nil) }
        #expect(relay.server.counters.droppedMalformed == UInt64(hostile.count))
        let keepAlive = STUNMessage.indication(.binding, transactionID: relay.transactionID()).encoded()
        #expect(relay.answer(to: keepAlive, from: path) == nil)
        #expect(relay.server.counters.droppedMalformed == UInt64(hostile.count))
    }
}
