internal import CVPX
internal import CYUV

extension LibraryVersion {
    static var videoLibraries: [LibraryVersion] {
        let vpx = unsafe String(cString: vpx_codec_version_str())
        return [
            // libvpx writes "v1.12.0-dirty" where a distribution patched it.
            LibraryVersion(name: "libvpx", version: String(vpx.drop { $0 == "v" })),
            LibraryVersion(name: "libyuv", version: String(LIBYUV_VERSION)),
        ]
    }
}
