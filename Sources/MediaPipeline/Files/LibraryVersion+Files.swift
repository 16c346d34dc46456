internal import CFFmpeg

extension LibraryVersion {
    static var ffmpegLibraries: [LibraryVersion] {
        [
            ("libavformat", avformat_version()), ("libavcodec", avcodec_version()), ("libswscale", swscale_version()),
            ("libswresample", swresample_version()), ("libavutil", avutil_version()),
        ].map { name, version in
            LibraryVersion(name: name, version: "\(version >> 16).\(version >> 8 & 255).\(version & 255)")
        }
    }
}
