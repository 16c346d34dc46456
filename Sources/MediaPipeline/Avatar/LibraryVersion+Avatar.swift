internal import CCairo

extension LibraryVersion {
    static var cairo: LibraryVersion {
        LibraryVersion(name: "cairo", version: unsafe String(cString: cairo_version_string()))
    }
}
