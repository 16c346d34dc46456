package import Core

/// What a camera has received and given since it was made.
package struct CameraStatistics: Sendable, Equatable {
    /// The robot's stream of pictures.
    package struct Reception: Sendable, Equatable {
        package var packets: UInt64 = 0
        package var bytes: UInt64 = 0
        /// Never came, or too late.
        package var lostPackets: UInt64 = 0
        /// Dropped since the camera's thread did not come to them.
        package var droppedPackets: UInt64 = 0
        /// Of a stream that has ended, late, twice, or no H.264.
        package var refusedPackets: UInt64 = 0
        /// Whole ones.
        package var pictures: UInt64 = 0
        package var keyFrames: UInt64 = 0
        /// Spoiled by missing packets.
        package var damagedPictures: UInt64 = 0
        /// Of no use to anybody: before the first key frame, or after one that was damaged.
        package var undecodablePictures: UInt64 = 0
        /// Key frames whose parameter sets never came.
        package var missingParameterSets: UInt64 = 0
        /// How often the stream began anew.
        package var epochs: UInt64 = 0
    }
    /// What became of the pictures on their way to viewers of VP8.
    package struct Transcoding: Sendable, Equatable {
        package var isRunning = false
        package var decodedPictures: UInt64 = 0
        /// Refused by the decoder.
        package var corruptPictures: UInt64 = 0
        package var encodedPictures: UInt64 = 0
        package var keyFrames: UInt64 = 0
        /// Decoded but not shown, since newer ones waited already.
        package var skippedPictures: UInt64 = 0
        /// Left undecoded, since the decoder was far behind.
        package var droppedPictures: UInt64 = 0
        package var encoderFailures: UInt64 = 0
    }
    /// The robot's microphone.
    package struct Sound: Sendable, Equatable {
        package var packets: UInt64 = 0
        package var lostPackets: UInt64 = 0
        package var refusedPackets: UInt64 = 0
    }

    package var reception = Reception()
    package var transcoding = Transcoding()
    package var sound = Sound()
    /// Of the picture as the robot sends it; nil until one was decoded.
    package var width: Int?
    package var height: Int?
    /// When the last whole picture was there; nil before the first.
    package var lastPictureAt: Instant?
    /// Of what goes to viewers, over the last seconds.
    package var h264Rate = StreamRate()
    package var vp8Rate = StreamRate()

    package init() {}
}

/// How much a stream costs to send.
package struct StreamRate: Sendable, Equatable {
    package var packetsPerSecond = 0.0
    package var bitsPerSecond = 0.0
    package var picturesPerSecond = 0.0

    package init(packetsPerSecond: Double = 0, bitsPerSecond: Double = 0, picturesPerSecond: Double = 0) {
        self.packetsPerSecond = packetsPerSecond
        self.bitsPerSecond = bitsPerSecond
        self.picturesPerSecond = picturesPerSecond
    }
}
