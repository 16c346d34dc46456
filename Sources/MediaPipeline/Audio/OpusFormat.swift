/// How sound travels: 48 kHz, one channel, packets of 20 ms ([RFC 7587](https://www.rfc-editor.org/rfc/rfc7587)).
package enum OpusFormat {
    package static let sampleRateHz = 48_000
    package static let channels = 1
    package static let packetDuration: Duration = .milliseconds(20)
    package static let samplesPerPacket = 960
    /// Bytes of one packet, at most ([RFC 6716 §3.4](https://www.rfc-editor.org/rfc/rfc6716#section-3.4): 1,275 a frame).
    package static let maximumPacketSize = 1275
}
