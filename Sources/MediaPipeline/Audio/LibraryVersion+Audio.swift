internal import COpus

extension LibraryVersion {
    static var opus: LibraryVersion {
        let text = unsafe String(cString: opus_get_version_string())
        return LibraryVersion(name: "libopus", version: text.split(separator: " ").last.map(String.init) ?? text)
    }
}
