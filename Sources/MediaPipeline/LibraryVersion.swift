/// A native library's name and the version that this process runs on.
package struct LibraryVersion: Sendable, Equatable {
    package let name: String
    package let version: String

    /// Every native library of the media pipeline.
    package static var ofMediaPipeline: [LibraryVersion] {
        videoLibraries + [opus, cairo, flite] + ffmpegLibraries
    }
}
