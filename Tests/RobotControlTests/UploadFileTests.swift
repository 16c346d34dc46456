import Core
import Glibc
import Testing

@testable import RobotControl

struct UploadFileTests {
    private let folder = TemporaryFolder()

    private func makeUpload(_ encoding: UploadFile.Encoding = .base64, limit: Int = 1 << 20) throws -> UploadFile {
        try UploadFile(path: "\(folder.path)/upload", encoding: encoding, limit: limit)
    }

    private var isThere: Bool { access("\(folder.path)/upload", F_OK) == 0 }

    @Test(arguments: [0, 1, 2, 3, 4, 100, 70_001])
    func `base64 in pieces of any length is the bytes`(count: Int) throws {
        let bytes = RandomSource.seeded(UInt64(count)).bytes(count)
        let text = Array(Base64.encode(bytes).utf8)
        for size in [1, 3, 76, 65_537] {
            for isPadded in [true, false] {
                let upload = try makeUpload()
                let digits = isPadded ? text : text.filter { $0 != UInt8(ascii: "=") }
                for start in stride(from: 0, to: digits.count, by: size) {
                    try upload.append(Array(digits[start..<min(start + size, digits.count)] + [0x0D, 0x0A]))
                }
                try upload.finish()
                #expect(upload.count == count)
                #expect(TemporaryFolder.bytes(upload.path) == bytes)
            }
        }
        #expect(!isThere)
    }

    @Test func `bytes come through as they are`() throws {
        let upload = try makeUpload(.plain)
        let bytes = RandomSource.seeded(7).bytes(200_000)
        try upload.append(bytes)
        try upload.append([])
        try upload.finish()
        #expect(TemporaryFolder.bytes(upload.path) == bytes)
    }

    @Test(arguments: [
        ("QUJD*EFG", "The upload is not base64: see its character 4."),
        ("QUJD QUJD", "The upload is not base64: see its character 4."),
        ("QUI=QUJD", "The upload is not base64: see its character 4."),
        ("QUJ-", "The upload is not base64: see its character 3."),
        ("QUJDQ", "The upload's base64 ends too early, after 5 characters."),
        ("QUJD====", "The upload's base64 ends too early, after 8 characters."),
        ("QQ=", "The upload's base64 ends too early, after 3 characters."),
    ])
    func `what is no base64 is refused with its place`(text: String, reason: String) throws {
        for size in [1, 100] {
            let upload = try makeUpload()
            let characters = Array(text.utf8)
            #expect(throws: ProjectFailure(code: "bad_base64", reason: reason)) {
                for start in stride(from: 0, to: characters.count, by: size) {
                    try upload.append(Array(characters[start..<min(start + size, characters.count)]))
                }
                try upload.finish()
            }
            #expect(!isThere)
            #expect(throws: ProjectFailure.self) { try upload.append([0x51]) }
        }
    }

    @Test func `an upload that is too long ends at its limit`() throws {
        let upload = try makeUpload(limit: 1000)
        let text = Array(Base64.encode([UInt8](repeating: 1, count: 999)).utf8)
        try upload.append(text)
        let failure = #expect(throws: ProjectFailure.self) { try upload.append(text) }
        #expect(failure?.code == "zip_archive_size")
        #expect(!isThere)
    }
}
