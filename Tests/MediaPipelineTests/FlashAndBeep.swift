import Foundation

/// Writes an AVI file of raw pictures and PCM sound: in each second the first 0.1 s is white and beeps.
///
/// ```
/// RIFF AVI ─┬─ LIST hdrl ─┬─ avih
///           │             ├─ LIST strl (vids, I420)
///           │             └─ LIST strl (auds, PCM)
///           └─ LIST movi ── 00dc 01wb 00dc 01wb ...
/// ```
enum FlashAndBeep {
    static let framesPerSecond = 25
    static let sampleRateHz = 44_100
    private static let width = 64
    private static let height = 48

    static func write(seconds: Int) throws -> String {
        let path = NSTemporaryDirectory() + "flash-and-beep-\(UUID().uuidString).avi"
        try Data(file(seconds: seconds)).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        Array(name.utf8) + little(UInt32(content.count)) + content + (content.count % 2 == 1 ? [0] : [])
    }

    private static func list(_ name: String, _ content: [UInt8]) -> [UInt8] {
        chunk("LIST", Array(name.utf8) + content)
    }

    private static func little(_ values: UInt32...) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }

    private static func little16(_ values: UInt16...) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    private static func file(seconds: Int) -> [UInt8] {
        let frames = seconds * framesPerSecond
        let pictureSize = UInt32(width * height * 3 / 2)
        let main =
            little(UInt32(1_000_000 / framesPerSecond), 0, 0, 0x10, UInt32(frames), 0, 2, pictureSize)
            + little(UInt32(width), UInt32(height), 0, 0, 0, 0)
        let videoHeader =
            Array("vidsI420".utf8) + little(0, 0, 0, 1, UInt32(framesPerSecond), 0, UInt32(frames))
            + little(pictureSize, 0, 0, 0, 0)
        let videoFormat =
            little(40, UInt32(width), UInt32(height)) + little16(1, 12) + Array("I420".utf8)
            + little(pictureSize, 0, 0, 0, 0)
        let audioHeader =
            Array("auds".utf8) + little(0, 0, 0, 0, 1, UInt32(sampleRateHz), 0)
            + little(UInt32(seconds * sampleRateHz), 4096, 0, 2, 0, 0)
        let audioFormat = little16(1, 1) + little(UInt32(sampleRateHz), UInt32(sampleRateHz * 2)) + little16(2, 16)
        let header = list(
            "hdrl",
            chunk("avih", main)
                + list("strl", chunk("strh", videoHeader) + chunk("strf", videoFormat))
                + list("strl", chunk("strh", audioHeader) + chunk("strf", audioFormat)))
        var movie: [UInt8] = []
        let samplesPerFrame = sampleRateHz / framesPerSecond
        for frame in 0..<frames {
            let isFlash = frame % framesPerSecond < framesPerSecond / 10
            let luma = [UInt8](repeating: isFlash ? 235 : 16, count: width * height)
            movie += chunk("00dc", luma + [UInt8](repeating: 128, count: width * height / 2))
            var samples: [UInt8] = []
            for offset in 0..<samplesPerFrame {
                let index = frame * samplesPerFrame + offset
                let isBeep = index % sampleRateHz < sampleRateHz * (framesPerSecond / 10) / framesPerSecond
                let value = isBeep ? 12_000 * sin(Double(index) * 2 * .pi * 1000 / Double(sampleRateHz)) : 0
                samples += little16(UInt16(bitPattern: Int16(value)))
            }
            movie += chunk("01wb", samples)
        }
        return chunk("RIFF", Array("AVI ".utf8) + header + list("movi", movie))
    }
}
