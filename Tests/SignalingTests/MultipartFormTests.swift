import Testing

@testable import Signaling

@Suite("Multipart forms")
struct MultipartFormTests {
    private func parse(_ text: String) -> Result<[(String, String?, String)], MultipartParseError> {
        let bytes = Array(text.utf8)
        return Result { () throws(MultipartParseError) in
            try MultipartForm.parse(bytes, boundary: "XX").map { part in
                (part.name, part.fileName, String(decoding: bytes[part.body], as: UTF8.self))
            }
        }
    }

    private func error(_ text: String) -> MultipartParseError? {
        guard case .failure(let error) = parse(text) else { return nil }
        return error
    }

    @Test("Parts are found with their names, also empty ones and ones with line breaks")
    func parts() throws {
        let parts = try parse(
            "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"
                + "--XX\r\ncontent-disposition: form-data; name=b; filename=\"f.mp4\"\r\n\r\nx\r\ny--XX\r\n"
                + "\r\n--XX--\r\n"
        ).get()
        #expect(parts.map(\.0) == ["a", "b"])
        #expect(parts.map(\.1) == [nil, "f.mp4"])
        #expect(parts.map(\.2) == ["", "x\r\ny--XX\r\n"])
    }

    @Test("What is no form says why")
    func errors() {
        #expect(error("") == .noBoundary)
        #expect(error("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx") == .unfinishedPart)
        #expect(error("--XX\r\nContent-Disposition: form-data") == .unfinishedPart)
        #expect(error("--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--") == .missingName)
        #expect(error("--XX\r\nA: " + String(repeating: "x", count: 5000) + "\r\n\r\nx\r\n--XX--") == .headerTooLong)
        let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n"
        #expect(error(String(repeating: part, count: 17) + "--XX--") == .tooManyParts)
        #expect(error("--XX") == .unfinishedPart)
        #expect(error("--XX--") == nil)
    }

    @Test("The boundary comes from the content type")
    func boundary() {
        #expect(MultipartForm.boundary(of: "multipart/form-data; boundary=abc") == "abc")
        #expect(MultipartForm.boundary(of: "Multipart/Form-Data; charset=utf-8; boundary=\"a b\"") == "a b")
        #expect(MultipartForm.boundary(of: "multipart/form-data") == nil)
        #expect(MultipartForm.boundary(of: "text/plain; boundary=abc") == nil)
        #expect(MultipartForm.boundary(of: "multipart/form-data; boundary=\(String(repeating: "x", count: 71))") == nil)
    }
}
