internal import Core

/// Channel numbers and the peers they stand for.
///
/// A binding lasts 600 s on the server and is renewed every 480 s while it is wanted. For 300 s after its end neither the
/// number nor the peer may be bound otherwise; the same pair may be bound again at any time.
/// - SeeAlso: [RFC 8656 §12](https://www.rfc-editor.org/rfc/rfc8656#section-12)
struct TURNChannels: Sendable {
    enum State: Equatable, Sendable {
        case due(Instant)
        case requesting
        case bound(renewAt: Instant)
        /// Not wanted any more, or refused: nothing is asked.
        case resting
    }
    struct Channel: Sendable {
        var number: UInt16
        var state: State
        var isWanted = true
        /// Data may be sent on the channel until then; nil before the first success.
        var usableUntil: Instant?
        /// The server may hold the pair until then; counted from the last request, answered or not.
        var heldUntil: Instant?
        var refusals = 0
    }

    static let lifetime: Duration = .seconds(600)
    static let renewalInterval: Duration = .seconds(480)
    static let cooldown: Duration = .seconds(300)
    static let retryInterval: Duration = .seconds(5)
    /// A server that refuses so many numbers for one peer is left in peace: Send indications serve it as well.
    static let maximumRefusals = 3

    private(set) var entries: [SocketAddress: Channel] = [:]
    private var peers: [UInt16: SocketAddress] = [:]
    /// Numbers that the server refused: it holds them for a peer of a former process.
    private var blocked: [UInt16: Instant] = [:]
    private var next = ChannelData.channels.lowerBound
    /// The next request, expiry or end of a cooldown, or earlier: a scan over thousands of channels happens only then.
    private(set) var deadline: Instant?
    /// What the last scan found due and nobody took yet.
    private var due: [SocketAddress] = []

    func peer(of number: UInt16) -> SocketAddress? { peers[number] }

    /// The number to send to this peer on; nil where a Send indication must do.
    func usableNumber(for peer: SocketAddress) -> UInt16? {
        guard let channel = entries[peer], channel.usableUntil != nil else { return nil }
        return channel.number
    }

    /// False where no number is free.
    mutating func want(_ peer: SocketAddress, now: Instant) -> Bool {
        if var known = entries[peer] {
            known.isWanted = true
            if known.state == .resting, known.refusals < Self.maximumRefusals { known.state = .due(now) }
            set(known, for: peer)
            return true
        }
        guard let number = freeNumber(now: now) else { return false }
        set(Channel(number: number, state: .due(now)), for: peer)
        peers[number] = peer
        return true
    }

    mutating func forget(_ peer: SocketAddress, now: Instant) {
        guard var channel = entries[peer] else { return }
        channel.isWanted = false
        if channel.state != .requesting { channel.state = .resting }
        entries[peer] = channel
        if channel.heldUntil == nil { remove(peer) }
    }

    private mutating func remove(_ peer: SocketAddress) {
        guard let channel = entries.removeValue(forKey: peer) else { return }
        if peers[channel.number] == peer { peers[channel.number] = nil }
    }

    private mutating func freeNumber(now: Instant) -> UInt16? {
        for _ in ChannelData.channels {
            let number = next
            next = number == ChannelData.channels.upperBound ? ChannelData.channels.lowerBound : number + 1
            if let until = blocked[number] {
                guard until <= now else { continue }
                blocked[number] = nil
            }
            if peers[number] == nil { return number }
        }
        return nil
    }

    private mutating func set(_ channel: Channel, for peer: SocketAddress) {
        entries[peer] = channel
        if let time = Self.nextTime(channel), time < deadline ?? .distantFuture { deadline = time }
    }

    mutating func takeDue(now: Instant) -> (peer: SocketAddress, number: UInt16)? {
        if due.isEmpty { scan(now: now) }
        while let peer = due.popLast() {
            guard var channel = entries[peer], let time = Self.requestTime(channel), time <= now else { continue }
            channel.state = .requesting
            channel.heldUntil = now + Self.lifetime
            set(channel, for: peer)
            return (peer, channel.number)
        }
        return nil
    }

    private mutating func scan(now: Instant) {
        guard let deadline, deadline <= now else { return }
        self.deadline = nil
        for (peer, channel) in entries {
            if let time = Self.requestTime(channel), time <= now {
                due.append(peer)
            } else if let time = Self.nextTime(channel), time < self.deadline ?? .distantFuture {
                self.deadline = time
            }
        }
    }

    private static func requestTime(_ channel: Channel) -> Instant? {
        switch channel.state {
        case .due(let time), .bound(renewAt: let time): time
        case .requesting, .resting: nil
        }
    }

    private static func nextTime(_ channel: Channel) -> Instant? {
        var earliest = requestTime(channel) ?? .distantFuture
        if let usable = channel.usableUntil { earliest = min(earliest, usable) }
        if let held = channel.heldUntil { earliest = min(earliest, held + cooldown) }
        return earliest == .distantFuture ? nil : earliest
    }

    mutating func handleTimeout(now: Instant) {
        guard let deadline, deadline <= now else { return }
        defer { self.deadline = entries.values.lazy.compactMap(Self.nextTime).min() }
        for (peer, channel) in entries {
            if let usable = channel.usableUntil, usable <= now {
                entries[peer]?.usableUntil = nil
                if channel.isWanted, case .bound = channel.state { entries[peer]?.state = .due(now) }
            }
            if let held = channel.heldUntil, held + Self.cooldown <= now {
                entries[peer]?.heldUntil = nil
                if !channel.isWanted { remove(peer) }
            }
        }
    }

    /// True where the binding is new.
    mutating func bound(_ peer: SocketAddress, number: UInt16, now: Instant) -> Bool {
        guard var channel = entries[peer], channel.number == number else { return false }
        let isNew = channel.usableUntil == nil
        channel.usableUntil = now + Self.lifetime
        channel.heldUntil = now + Self.lifetime
        channel.refusals = 0
        channel.state = channel.isWanted ? .bound(renewAt: now + Self.renewalInterval) : .resting
        set(channel, for: peer)
        return isNew && channel.isWanted
    }

    mutating func unanswered(_ peer: SocketAddress, now: Instant) {
        guard var channel = entries[peer] else { return }
        channel.state = channel.isWanted ? .due(now + Self.retryInterval) : .resting
        set(channel, for: peer)
    }

    /// The server holds this number for another peer, or this peer under another number: try the next number.
    mutating func refused(_ peer: SocketAddress, number: UInt16, now: Instant) {
        guard var channel = entries[peer], channel.number == number else { return }
        channel.refusals += 1
        channel.usableUntil = nil
        blocked[number] = now + Self.lifetime + Self.cooldown
        peers[number] = nil
        guard channel.isWanted, channel.refusals < Self.maximumRefusals, let another = freeNumber(now: now) else {
            channel.state = .resting
            entries[peer] = channel
            if !channel.isWanted { remove(peer) }
            return
        }
        channel.number = another
        peers[another] = peer
        channel.state = .due(now)
        set(channel, for: peer)
    }

    /// The server refuses this peer altogether.
    mutating func denied(_ peer: SocketAddress) {
        entries[peer]?.refusals = Self.maximumRefusals
        entries[peer]?.usableUntil = nil
        entries[peer]?.state = .resting
    }

    /// The allocation is gone and every binding with it; the wishes stay.
    mutating func allocationLost(now: Instant) {
        blocked = [:]
        for (peer, channel) in entries {
            guard channel.isWanted else {
                remove(peer)
                continue
            }
            // A refused peer lost its number to the blocked ones.
            if peers[channel.number] != peer {
                remove(peer)
                _ = want(peer, now: now)
            } else {
                set(Channel(number: channel.number, state: .due(now)), for: peer)
            }
        }
    }

    /// Numbers of a former process may still be bound on an allocation that was won back: begin anywhere.
    mutating func begin(at random: UInt16) {
        next = ChannelData.channels.lowerBound + random % UInt16(ChannelData.channels.count)
    }
}
