import Core
import PeerConnection
import Testing

@Suite("Packets in their order")
struct ReorderBufferTests {
    private func packet(_ number: UInt16, ssrc: UInt32 = 1) -> ReceivedPacket {
        H264Packets.packet([UInt8(truncatingIfNeeded: number)], number, ssrc: ssrc)
    }

    private func instant(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

    /// The numbers that come out.
    private func drain(_ buffer: inout ReorderBuffer) -> [UInt16] {
        var numbers: [UInt16] = []
        while let next = buffer.pollPacket() { numbers.append(next.packet.sequenceNumber) }
        return numbers
    }

    @Test("What is in order goes on at once, over the wrap of the numbers too")
    func inOrder() {
        var buffer = ReorderBuffer()
        for number in [65_534, 65_535, 0, 1] as [UInt16] {
            buffer.receive(packet(number), now: instant(1))
            #expect(drain(&buffer) == [number])
            #expect(buffer.deadline == nil)
        }
    }

    @Test("Behind a gap packets wait, and go on in order once it is filled, each with the time it came")
    func filled() {
        var buffer = ReorderBuffer()
        for (number, time) in [(1, 0), (4, 10), (3, 20), (5, 30)] {
            buffer.receive(packet(UInt16(number)), now: instant(time))
        }
        #expect(drain(&buffer) == [1])
        #expect(buffer.deadline == instant(10) + buffer.maximumWait)
        buffer.receive(packet(2), now: instant(40))
        var arrivals: [Instant] = []
        while let next = buffer.pollPacket() { arrivals.append(next.receivedAt) }
        #expect(arrivals == [instant(40), instant(20), instant(10), instant(30)])
        #expect(buffer.deadline == nil)
        #expect(buffer.counts.lost == 0)
    }

    @Test("A gap is given up when its time is over, and what comes for it later is dropped")
    func givenUp() {
        var buffer = ReorderBuffer(maximumWait: .milliseconds(50))
        for (number, time) in [(1, 0), (4, 10), (7, 30)] { buffer.receive(packet(UInt16(number)), now: instant(time)) }
        buffer.handleTimeout(now: instant(59))
        #expect(drain(&buffer) == [1])
        buffer.handleTimeout(now: instant(60))
        #expect(drain(&buffer) == [4])
        #expect(buffer.deadline == instant(80))
        buffer.receive(packet(3), now: instant(61))
        #expect(drain(&buffer).isEmpty)
        #expect(buffer.counts.late == 1)
        buffer.handleTimeout(now: instant(80))
        #expect(drain(&buffer) == [7])
        #expect(buffer.counts.lost == 4)
        #expect(buffer.deadline == nil)
    }

    @Test("No more wait than may, however long the gap lasts")
    func bounded() {
        var buffer = ReorderBuffer(maximumWait: .seconds(10), maximumPackets: 3)
        buffer.receive(packet(0), now: instant(0))
        for number in 2...5 { buffer.receive(packet(UInt16(number)), now: instant(0)) }
        #expect(drain(&buffer) == [0, 2, 3, 4, 5])
        #expect(buffer.counts.lost == 1)
    }

    @Test("A packet that comes twice goes on once")
    func duplicates() {
        var buffer = ReorderBuffer()
        for number in [1, 1, 3, 3, 2, 2, 3] as [UInt16] { buffer.receive(packet(number), now: instant(0)) }
        #expect(drain(&buffer) == [1, 2, 3])
        #expect(buffer.counts.late == 4)
    }

    @Test("One stray number leads nowhere; two in a row begin the count anew")
    func restart() {
        var buffer = ReorderBuffer()
        for number in [1, 30_000, 2, 50_000, 3] as [UInt16] { buffer.receive(packet(number), now: instant(0)) }
        #expect(drain(&buffer) == [1, 2, 3])
        for number in [40_000, 40_001, 40_002] as [UInt16] { buffer.receive(packet(number), now: instant(0)) }
        #expect(drain(&buffer) == [40_001, 40_002])
        #expect(buffer.counts.restarts == 1)
    }

    @Test("Another source begins anew, and nothing that waited for the former is lost")
    func newSource() {
        var buffer = ReorderBuffer()
        for number in [1, 3, 5] as [UInt16] { buffer.receive(packet(number), now: instant(0)) }
        buffer.receive(packet(900, ssrc: 2), now: instant(1))
        #expect(drain(&buffer) == [1, 3, 5, 900])
        #expect(buffer.deadline == nil)
    }

    @Test("Whatever is lost, doubled and shuffled, what comes out rises and nothing that came in time is missing")
    func shuffled() {
        let random = RandomSource.seeded(9)
        var buffer = ReorderBuffer(maximumWait: .milliseconds(40), maximumPackets: 64)
        var sent: [UInt16] = []
        var arriving: [(due: Instant, number: UInt16)] = []
        for number in 0..<3000 {
            let number = UInt16(truncatingIfNeeded: number + 64_000)
            guard random.uint32() % 10 != 0 else { continue }
            sent.append(number)
            let due = instant(Int(number &- 64_000) * 2) + .milliseconds(Int(random.uint32() % 20))
            arriving.append((due, number))
            if random.uint32() % 7 == 0 { arriving.append((due + .milliseconds(3), number)) }
        }
        arriving.sort { $0.due < $1.due }
        var received: [UInt16] = []
        for arrival in arriving {
            while let deadline = buffer.deadline, deadline <= arrival.due {
                buffer.handleTimeout(now: deadline)
                received += drain(&buffer)
            }
            buffer.receive(packet(arrival.number), now: arrival.due)
            received += drain(&buffer)
        }
        while let deadline = buffer.deadline {
            buffer.handleTimeout(now: deadline)
            received += drain(&buffer)
        }
        // The very first may come behind its successors: they are the beginning then.
        #expect(received == Array(sent.suffix(received.count)))
        #expect(received.count > sent.count - 20)
    }
}
