internal import Core

/// One robot camera's settings.
package struct CameraStageConfiguration: Sendable, Equatable {
    /// Bits per second of the VP8 that is made for viewers who do not take H.264.
    package var videoBitRate = 2_000_000
    /// Larger pictures are made smaller before they are encoded as VP8, their shape kept. H.264 passes through at its own size.
    package var maximumWidth = 1280
    package var maximumHeight = 720
    /// How long packets wait for one that is missing before them: a retransmission within the robot's network comes sooner.
    package var maximumReordering: Duration = .milliseconds(60)
    /// Packets that may wait for the camera's thread; beyond that the oldest are dropped. A second of ten times the usual rate.
    package var maximumWaitingPackets = 2048

    package init() {}

    /// The settings' mistakes, if there are any.
    func validate() throws(StageError) {
        func check(_ isValid: Bool, _ reason: String, _ remedy: String) throws(StageError) {
            guard isValid else { throw StageError(code: .invalidConfiguration, reason: reason, remedy: remedy) }
        }
        try check(
            (50_000...20_000_000).contains(videoBitRate), "\(videoBitRate) bit/s of video", "set 50000 to 20000000")
        try check(
            (64...1920).contains(maximumWidth) && (64...1920).contains(maximumHeight),
            "a picture of at most \(maximumWidth)x\(maximumHeight)", "set width and height to 64 to 1920")
        try check(
            maximumReordering >= .zero && maximumReordering <= .milliseconds(500),
            "\(maximumReordering.milliseconds) ms of waiting for a missing packet", "set 0 to 500 ms")
        try check(
            (64...65_536).contains(maximumWaitingPackets), "\(maximumWaitingPackets) packets that may wait",
            "set 64 to 65536")
    }
}
