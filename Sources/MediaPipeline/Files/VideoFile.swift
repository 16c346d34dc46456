/// Looks at a file before anybody is to be shown it.
package enum VideoFile {
    /// Why the file is no video, in FFmpeg's words; nil where its first picture can be decoded. Reads the file's
    /// beginning, so it belongs on no thread that others wait for.
    package static func problem(at path: String) -> String? {
        do throws(SourceError) {
            guard let reader = try MediaDemuxer(path: path, kind: .picture) else { return "it has no picture" }
            guard try unsafe reader.next({ _, _ in true }) != nil else { return "it has no picture" }
            return nil
        } catch {
            // The client knows the file by another name.
            return error.reason.hasPrefix("\(path): ") ? String(error.reason.dropFirst(path.count + 2)) : error.reason
        }
    }
}
