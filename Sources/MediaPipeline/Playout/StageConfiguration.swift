internal import Core

/// What a stage shows.
package enum StageSource: Sendable, Equatable {
    /// The drawn character that ships with the server; it speaks.
    case builtInAvatar
    /// A media file, played for ever.
    case file(path: String)
    /// A program that writes whole I420 pictures of the stage's size to its standard output; speech is heard, the
    /// picture is the program's business.
    case rawFrames(command: [String])
    /// An engine's avatar; it speaks.
    case engine(EngineAvatar)
    /// A picture that fills its bit rate, for measurements.
    case testPattern
}

/// One stage's settings.
package struct StageConfiguration: Sendable, Equatable {
    package var width = 512
    package var height = 512
    package var framesPerSecond = 30
    /// Bits per second.
    package var videoBitRate = 1_000_000
    package var audioBitRate = 48_000
    /// In the idle loop; live pictures have key frames when somebody asks.
    package var keyFrameIntervalInIdle: Duration = .seconds(1)
    /// Seconds of sound that may wait to be said.
    package var maximumWaitingSeconds = 600
    package var source: StageSource = .builtInAvatar

    package init(source: StageSource = .builtInAvatar) {
        self.source = source
    }

    /// The settings' mistakes, if there are any.
    func validate() throws(StageError) {
        func check(_ isValid: Bool, _ reason: String, _ remedy: String) throws(StageError) {
            guard isValid else { throw StageError(code: .invalidConfiguration, reason: reason, remedy: remedy) }
        }
        try check(
            (64...1920).contains(width) && (64...1920).contains(height) && width % 2 == 0 && height % 2 == 0,
            "a picture of \(width)x\(height)", "set width and height to even numbers from 64 to 1920")
        try check((5...60).contains(framesPerSecond), "\(framesPerSecond) frames a second", "set 5 to 60")
        try check(
            (50_000...20_000_000).contains(videoBitRate), "\(videoBitRate) bit/s of video",
            "set 50000 to 20000000")
        try check((6_000...510_000).contains(audioBitRate), "\(audioBitRate) bit/s of sound", "set 6000 to 510000")
        try check(
            keyFrameIntervalInIdle >= .milliseconds(100) && keyFrameIntervalInIdle <= .seconds(4),
            "a key frame every \(keyFrameIntervalInIdle.seconds) s", "set 0.1 to 4 seconds")
        try check(
            (1...7_200).contains(maximumWaitingSeconds), "\(maximumWaitingSeconds) seconds of sound that may wait",
            "set 1 to 7200")
    }

    var maximumWaitingSamples: Int { maximumWaitingSeconds * OpusFormat.sampleRateHz }

    var loopKey: IdleLoop.Key {
        let interval = Int((keyFrameIntervalInIdle.seconds * Double(framesPerSecond)).rounded())
        return IdleLoop.Key(
            width: width, height: height, framesPerSecond: framesPerSecond, bitRate: videoBitRate,
            keyFrameInterval: max(1, interval))
    }

    /// Opens the source; the error says what is missing.
    func makeSource() throws(StageError) -> any PictureSource {
        switch source {
        case .builtInAvatar: AvatarSource(width: width, height: height)
        case .engine(let avatar): EngineSource(avatar: avatar, key: loopKey)
        case .testPattern: TestPattern(width: width, height: height)
        case .file(let path):
            try MediaFileSource(
                path: path, width: width, height: height, framesPerSecond: framesPerSecond)
        case .rawFrames(let command): try FrameProcess(command: command, width: width, height: height)
        }
    }
}
