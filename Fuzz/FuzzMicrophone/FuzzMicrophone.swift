import Core
import MediaPipeline
import PeerConnection

/// Any packets at any times as a viewer's microphone: no more sound comes out than time has passed and packets may hold, and in an
/// unbroken row of whole pieces.
///
/// Each packet: flags (1), step of the number (1), step of the time (2), milliseconds passed (1), length (1), payload. Flags: 1 the number
/// goes backwards, 2 the time does, 4 the time steps by 65,536ths, 8 another source, 16 seconds pass instead of milliseconds.
@c(LLVMFuzzerTestOneInput)
package func fuzzMicrophone(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard var decoder = try? MicrophoneDecoder() else { return 0 }
    var now = Instant(nanoseconds: 1_000_000_000)
    var (number, timestamp): (UInt16, UInt32) = (65_000, 4_294_900_000)
    var (position, packets, samples, passed) = (0, 0, 0, Duration.zero)
    func take(_ sound: MicrophoneSound) {
        precondition(sound.samples.count == MicrophoneSound.sampleCount, "a piece is too short or too long")
        samples += sound.samples.count
    }
    while position + 6 <= input.count, packets < 2000 {
        let flags = input[position]
        let step = UInt16(input[position + 1])
        let timeStep = UInt32(input[position + 2]) << 8 | UInt32(input[position + 3])
        let time = Int(input[position + 4])
        let length = min(Int(input[position + 5]), input.count - position - 6)
        let payload = Array(input[(position + 6)..<(position + 6 + length)])
        position += 6 + length
        packets += 1
        number = flags & 1 == 0 ? number &+ step : number &- step
        let scaled = flags & 4 == 0 ? timeStep : timeStep << 16
        timestamp = flags & 2 == 0 ? timestamp &+ scaled : timestamp &- scaled
        let step2: Duration = flags & 16 == 0 ? .milliseconds(time) : .seconds(time)
        passed += step2
        now += step2
        if let due = decoder.deadline, due <= now { decoder.handleTimeout(now: now, deliver: take) }
        decoder.handle(
            ReceivedPacket(
                kind: .audio, payloadType: 111, ssrc: SSRC(flags & 8 == 0 ? 1 : 2), sequenceNumber: number,
                timestamp: timestamp, marker: false, isRetransmitted: false, payload: payload), now: now,
            deliver: take)
        precondition(decoder.deadline.map { $0 > .zero } ?? true, "a deadline lies before the beginning")
    }
    // 120 ms a packet for what it holds, as much again for what is made up before it, and what passed while all was silent.
    let most = packets * 3 * 1920 + Int(min(passed, .seconds(packets * 6)).nanoseconds / 1000 * 16 / 1000)
    precondition(samples <= most, "more sound than there can have been")
    return 0
}
