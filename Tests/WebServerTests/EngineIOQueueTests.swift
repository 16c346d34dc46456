import Testing

@testable import WebServer

/// A queue whose changes may stand in an expectation.
private final class Waiting {
    private var queue: EngineIOQueue

    init(_ configuration: EngineIOConfiguration) { queue = EngineIOQueue(configuration) }

    func append(_ packet: EngineIOPacket, isDroppable: Bool) -> Bool { queue.append(packet, isDroppable: isDroppable) }
    func popFirst() -> EngineIOPacket? { queue.popFirst() }
    var count: Int { queue.count }
    var bytes: Int { queue.bytes }
    var droppedCount: Int { queue.droppedCount }

    func texts() -> [String] {
        var texts: [String] = []
        while let packet = queue.popFirst() { texts.append(packet.text ?? "?") }
        return texts
    }
}

@Suite("What waits for an Engine.IO client") struct EngineIOQueueTests {
    private func queue(bytes: Int = 100, droppablePackets: Int = 3, droppableBytes: Int = 50) -> Waiting {
        var configuration = EngineIOConfiguration()
        configuration.maximumQueuedBytes = bytes
        configuration.maximumDroppablePackets = droppablePackets
        configuration.maximumDroppableBytes = droppableBytes
        return Waiting(configuration)
    }

    @Test("Packets come out as they went in, and are counted by their bytes on the wire")
    func order() {
        let queue = queue()
        #expect(queue.append(.message("a"), isDroppable: false))
        #expect(queue.append(.message("é"), isDroppable: true))
        #expect(queue.append(.binary([1, 2, 3]), isDroppable: false))
        #expect(queue.append(.ping(""), isDroppable: false))
        #expect(queue.count == 4)
        #expect(queue.bytes == 2 + 3 + 3 + 1)
        #expect(queue.popFirst() == .message("a"))
        #expect(queue.popFirst() == .message("é"))
        #expect(queue.bytes == 4)
        #expect(queue.popFirst() == .binary([1, 2, 3]))
        #expect(queue.popFirst() == .ping(""))
        #expect(queue.popFirst() == nil)
        #expect(queue.count == 0 && queue.bytes == 0 && queue.droppedCount == 0)
    }

    @Test("Ordinary packets fill their limit to the byte and no further")
    func full() {
        let queue = queue(bytes: 10)
        #expect(queue.append(.message("12345678"), isDroppable: false))
        #expect(queue.append(.close, isDroppable: false))
        #expect(!queue.append(.close, isDroppable: false))
        #expect(queue.count == 2 && queue.bytes == 10)
        _ = queue.popFirst()
        #expect(queue.append(.message("12345678"), isDroppable: false))
    }

    @Test("Of too many droppable packets the oldest go; the others keep their places")
    func dropsOldest() {
        let queue = queue()
        for text in ["a", "b"] { #expect(queue.append(.message(text), isDroppable: true)) }
        #expect(queue.append(.message("kept"), isDroppable: false))
        for text in ["c", "d", "e"] { #expect(queue.append(.message(text), isDroppable: true)) }
        #expect(queue.droppedCount == 2)
        #expect(queue.count == 4)
        #expect(queue.texts() == ["4kept", "4c", "4d", "4e"])
    }

    @Test("A large droppable packet makes room for itself; one that never fits is dropped alone")
    func dropsByBytes() {
        let queue = queue(droppableBytes: 12)
        for text in ["aaa", "bbb", "ccc"] { #expect(queue.append(.message(text), isDroppable: true)) }
        #expect(queue.bytes == 12 && queue.droppedCount == 0)
        #expect(queue.append(.message("ddddd"), isDroppable: true))
        #expect(queue.droppedCount == 2)
        #expect(queue.append(.message("longer than all"), isDroppable: true))
        #expect(queue.droppedCount == 3)
        #expect(queue.texts() == ["4ccc", "4ddddd"])
    }

    @Test("Droppable packets do not take the room of the others")
    func separateLimits() {
        let queue = queue(bytes: 4, droppableBytes: 50)
        #expect(queue.append(.message("droppable"), isDroppable: true))
        #expect(queue.append(.message("abc"), isDroppable: false))
        #expect(!queue.append(.close, isDroppable: false))
        #expect(queue.append(.message("more"), isDroppable: true))
        #expect(queue.bytes == 10 + 4 + 5)
    }

    @Test("Where nothing may wait that can be dropped, all of it is")
    func noDroppable() {
        let queue = queue(droppablePackets: 0)
        #expect(queue.append(.message("a"), isDroppable: true))
        #expect(queue.count == 0 && queue.droppedCount == 1)
    }

    @Test("Droppable packets that were sent already are not dropped")
    func sentIsNotDropped() {
        let queue = queue()
        for text in ["a", "b", "c"] { _ = queue.append(.message(text), isDroppable: true) }
        #expect(queue.popFirst() == .message("a"))
        _ = queue.append(.message("d"), isDroppable: true)
        #expect(queue.droppedCount == 0)
        _ = queue.append(.message("e"), isDroppable: true)
        #expect(queue.droppedCount == 1)
        #expect(queue.texts() == ["4c", "4d", "4e"])
    }

    @Test("Order and counts hold while gaps are closed, whatever mixture comes")
    func longRun() {
        let queue = queue(bytes: 1 << 20, droppablePackets: 40, droppableBytes: 1 << 20)
        // What a queue without tricks would hold.
        var expected: [(text: String, isDroppable: Bool)] = []
        var dropped = 0
        for number in 0..<10_000 {
            let isDroppable = number % 7 != 0
            if isDroppable, expected.filter(\.isDroppable).count == 40 {
                expected.remove(at: expected.firstIndex { $0.isDroppable } ?? 0)
                dropped += 1
            }
            expected.append(("\(number)", isDroppable))
            #expect(queue.append(.message("\(number)"), isDroppable: isDroppable))
            // Now and then some are taken, and sometimes all.
            let takes = number % 5 == 0 ? 2 : number % 1_501 == 0 ? expected.count : 0
            for _ in 0..<min(takes, expected.count) {
                #expect(queue.popFirst() == .message(expected.removeFirst().text))
            }
            #expect(queue.count == expected.count)
            #expect(queue.bytes == expected.reduce(0) { $0 + $1.text.utf8.count + 1 })
            #expect(queue.droppedCount == dropped)
        }
        #expect(dropped > 1_000)
        #expect(queue.texts() == expected.map { "4" + $0.text })
    }
}
