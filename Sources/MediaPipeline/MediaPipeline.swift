package import Core
package import PeerConnection

/// Takes the frames of a stage; called on the stage's thread.
package protocol MediaFrameSink: Sendable {
    func deliver(_ frame: MediaFrame, stage: StageID)
}
