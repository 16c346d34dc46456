import MediaPipeline
import Testing

@Test("Every native library of the pipeline tells a version that starts with a number")
func libraryVersions() {
    let libraries = LibraryVersion.ofMediaPipeline
    #expect(libraries.count == 10)
    for library in libraries { #expect(library.version.first?.isNumber == true, "\(library)") }
}
