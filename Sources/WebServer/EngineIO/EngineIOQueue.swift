/// Packets that wait for a client: in order, within a limit, and some of them may be left out.
struct EngineIOQueue {
    private struct Slot {
        let packet: EngineIOPacket
        let isDroppable: Bool
    }

    private let configuration: EngineIOConfiguration
    /// Nil where a packet was taken or left out; all of those before `head` were.
    private var slots: [Slot?] = []
    private var head = 0
    /// The places of the droppable ones, oldest first, from `droppableHead` on; some of them were sent since.
    private var droppable: [Int] = []
    private var droppableHead = 0
    private var droppableCount = 0
    private var droppableBytes = 0
    private(set) var count = 0
    private(set) var bytes = 0
    private(set) var droppedCount = 0

    init(_ configuration: EngineIOConfiguration) {
        self.configuration = configuration
    }

    /// False where an ordinary packet finds no room: its client is lost.
    mutating func append(_ packet: EngineIOPacket, isDroppable: Bool) -> Bool {
        let size = packet.byteCount
        if isDroppable {
            guard size <= configuration.maximumDroppableBytes, configuration.maximumDroppablePackets > 0 else {
                droppedCount += 1
                return true
            }
            while droppableCount >= configuration.maximumDroppablePackets
                || droppableBytes + size > configuration.maximumDroppableBytes
            {
                dropOldest()
            }
            droppable.append(slots.count)
            droppableCount += 1
            droppableBytes += size
        } else {
            guard bytes - droppableBytes + size <= configuration.maximumQueuedBytes else { return false }
        }
        slots.append(Slot(packet: packet, isDroppable: isDroppable))
        bytes += size
        count += 1
        return true
    }

    mutating func popFirst() -> EngineIOPacket? {
        while head < slots.count {
            head += 1
            if let slot = take(head - 1) {
                tidy()
                return slot.packet
            }
        }
        tidy()
        return nil
    }

    private mutating func dropOldest() {
        while droppableHead < droppable.count {
            droppableHead += 1
            if take(droppable[droppableHead - 1]) != nil {
                droppedCount += 1
                break
            }
        }
        tidy()
    }

    private mutating func take(_ index: Int) -> Slot? {
        guard let slot = slots[index] else { return nil }
        slots[index] = nil
        count -= 1
        bytes -= slot.packet.byteCount
        if slot.isDroppable {
            droppableCount -= 1
            droppableBytes -= slot.packet.byteCount
        }
        return slot
    }

    /// Closes the gaps once they are more than what waits: each packet is moved a few times at most.
    private mutating func tidy() {
        guard slots.count > 2 * count + 256 else { return }
        slots = slots.filter { $0 != nil }
        head = 0
        droppable = slots.indices.filter { slots[$0]?.isDroppable == true }
        droppableHead = 0
    }
}
