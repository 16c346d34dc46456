import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE agent")
struct ICEAgentTests {
    @Test("Two peers on a network without loss connect within three round trips")
    func connectsFast() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.signalAll()
        #expect(pair.run(for: .seconds(5)) { $0.bothCompleted })
        #expect(pair.elapsed <= .milliseconds(60))
        #expect(pair.left.agent.selectedPair?.remote == SocketAddress(ICETestPair.rightHost, 2000))
        #expect(pair.right.agent.selectedPair?.remote == SocketAddress(ICETestPair.leftHost, 1000))
        #expect(pair.left.agent.selectedPair?.isNominated == true)
        #expect(pair.left.states == [.checking, .connected, .completed])
        #expect(pair.right.states == [.checking, .connected, .completed])
        #expect(pair.left.agent.selectedPair?.roundTripTime == .milliseconds(20))
    }

    @Test("A pair that works carries media before it is nominated")
    func selectsBeforeNomination() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.signalAll()
        #expect(pair.run(for: .seconds(5)) { $0.right.agent.selectedPair != nil })
        #expect(pair.right.agent.state == .connected)
        #expect(pair.right.agent.selectedPair?.isNominated == false)
        #expect(pair.elapsed <= .milliseconds(40))
    }
}
