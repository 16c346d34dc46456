internal import Core

/// Measures a stream over the last whole window.
struct RateMeter: Sendable {
    /// As long as the robot's group of pictures, so that each window holds about one key frame.
    static let window: Duration = .seconds(2)

    private var start: Instant?
    private var packets = 0
    private var bytes = 0
    private var pictures = 0
    private(set) var rate = StreamRate()

    /// Counts one picture.
    /// - Returns: true where the rate was measured anew.
    mutating func count(packets: Int, bytes: Int, at now: Instant) -> Bool {
        let begin = start ?? now
        start = begin
        var isNew = false
        let elapsed = now - begin
        if elapsed >= Self.window {
            let seconds = elapsed.seconds
            rate = StreamRate(
                packetsPerSecond: Double(self.packets) / seconds, bitsPerSecond: Double(self.bytes) * 8 / seconds,
                picturesPerSecond: Double(self.pictures) / seconds)
            start = now
            (self.packets, self.bytes, self.pictures) = (0, 0, 0)
            isNew = true
        }
        self.packets += packets
        self.bytes += bytes
        pictures += 1
        return isNew
    }
}
