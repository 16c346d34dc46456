internal import CFlite

extension LibraryVersion {
    /// Flite tells its version at compile time only.
    static var flite: LibraryVersion {
        LibraryVersion(name: "flite", version: FLITE_PROJECT_VERSION)
    }
}
