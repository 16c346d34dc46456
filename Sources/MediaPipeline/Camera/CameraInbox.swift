internal import Core
internal import PeerConnection
internal import Synchronization

/// Who watches a camera, and how.
struct CameraViewers: Equatable, Sendable {
    var vp8 = 0
    var h264 = 0
    var sound = 0

    var isEmpty: Bool { vp8 == 0 && h264 == 0 && sound == 0 }
    var hasPicture: Bool { vp8 > 0 || h264 > 0 }
}

/// What waits for a camera's thread: packets up to a bound, the oldest dropped, and orders.
final class CameraInbox: Sendable {
    enum Entry: Sendable {
        case picture(ReceivedPacket, Instant)
        case sound(ReceivedPacket, Instant)
        case lost
        case viewers(CameraViewers, Instant)
        case keyFrameRequested
        case stop

        fileprivate var isPacket: Bool {
            switch self {
            case .picture, .sound: true
            case .lost, .viewers, .keyFrameRequested, .stop: false
            }
        }
    }
    private enum Signal: Sendable {
        case entries
    }
    private struct State {
        var entries: [Entry] = []
        var packets = 0
        var dropped: UInt64 = 0
        var isKeyFrameRequested = false
    }

    private let maximumPackets: Int
    private let state = Mutex(State())
    private let mailbox = Mailbox<Signal>()

    init(maximumPackets: Int) {
        self.maximumPackets = maximumPackets
    }

    var droppedPackets: UInt64 { state.withLock { $0.dropped } }

    func stop() {
        post(.stop)
    }

    func post(_ entry: Entry) {
        let mustWake = state.withLock { state in
            if case .keyFrameRequested = entry {
                guard !state.isKeyFrameRequested else { return false }
                state.isKeyFrameRequested = true
            }
            if entry.isPacket {
                if state.packets >= maximumPackets { dropOldest(&state) }
                state.packets += 1
            }
            state.entries.append(entry)
            // Whoever put the first one in has waked the thread.
            return state.entries.count == 1
        }
        if mustWake { mailbox.post(.entries) }
    }

    /// Takes everything in its order; waits for the first entry, but only until `deadline` (nil: for ever).
    func takeAll(until deadline: Instant?) -> [Entry] {
        _ = mailbox.takeAll(until: deadline)
        return state.withLock { state in
            defer {
                state.entries.removeAll()
                state.packets = 0
                state.isKeyFrameRequested = false
            }
            return state.entries
        }
    }

    /// A quarter at once, so that a sender that never pauses does not make each packet move all others.
    private func dropOldest(_ state: inout State) {
        var left = max(1, maximumPackets / 4)
        let before = state.packets
        state.entries.removeAll { entry in
            guard entry.isPacket, left > 0 else { return false }
            left -= 1
            state.packets -= 1
            return true
        }
        state.dropped &+= UInt64(before - state.packets)
    }
}
