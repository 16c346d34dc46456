import Testing

@testable import RobotControl

struct RequirementsTests {
    private let folder = TemporaryFolder()
    private var project: ProjectFolder { ProjectFolder(path: folder.path) }

    private func read(_ text: String, allowsAnything: Bool = false) throws(ProjectFailure) -> Requirements? {
        folder.write("requirements.txt", text.utf8)
        return try Requirements(of: project, allowsAnything: allowsAnything)
    }

    @Test(arguments: ["", "\n\n", "# nothing\n   # at all \\\n", " \t\r\n"])
    func `a file without requirements asks for nothing`(text: String) throws {
        #expect(try read(text) == nil)
    }

    @Test func `no file asks for nothing`() throws {
        #expect(try Requirements(of: project, allowsAnything: false) == nil)
    }

    @Test(arguments: [
        "numpy", "numpy==1.26.4  # why", "numpy>=1,<2 ; python_version < '3.12'", "unitree-sdk[dds,video]~=2.0",
        "a==1 --hash=sha256:00 \\\n  --hash=sha256:11", "pkg @ https://example.org/pkg.whl#sha256=00",
        "git+https://example.org/a.git@v1#egg=a", "--index-url https://example.org/simple",
        "-i https://example.org/simple", "--extra-index-url=https://example.org/simple --pre", "--only-binary :all:",
        "\u{FEFF}numpy",
    ])
    func `names, versions and web addresses are allowed`(line: String) throws {
        let requirements = try #require(try read(line))
        #expect(!requirements.usesProjectFiles)
    }

    @Test func `files of the project are allowed and belong to what decides`() throws {
        folder.write("wheels/a-1-py3-none-any.whl", [])
        for line in [
            "./wheels/a-1-py3-none-any.whl", "wheels/a-1-py3-none-any.whl", "--find-links wheels", "a.zip", "./lib",
        ] {
            #expect(try #require(try read(line)).usesProjectFiles, "\(line)")
        }
        folder.write("more/base.txt", "one".utf8)
        folder.write("more/all.txt", "-r base.txt\n-r all.txt".utf8)
        let first = try #require(try read("-r more/all.txt"))
        folder.write("more/base.txt", "two".utf8)
        #expect(try #require(try read("-r more/all.txt")).text != first.text)
    }

    @Test(arguments: [
        "-e .", "-e ./lib", "--editable=/x", "-r ../other.txt", "-r /etc/passwd", "-r a/../../x", "-c ../c.txt",
        "-r https://example.org/r.txt", "file:///etc", "pkg @ file:///etc/x.whl", "pkg@file:/x", "git+file:///x",
        "/opt/pkg", "../pkg", "./a/../../b", "~/pkg", "x/../../y.whl", "--find-links /opt", "--find-links=../x",
        "-f file:///x", "--index-url file:///x", "-i ../simple", "--req ../x", "-r../x", "-r=x", "--pre \"-r\" ../x",
        "-r \"../x\"", "-r ..\\/x", "numpy -r ../x", "numpy --global-option=x", "numpy --config-settings=a=b",
        "numpy\t-e ../x", "# hidden \\\n-e ../x", "num\\\npy\n-\\\ne ../x", "${HOME}/x", "-r ${HOME}", "a\u{1C}-e ../x",
        "--use-feature x", "-", "--", "-r", "ftp://example.org/x.whl", "C:\\x", "a\\b/c", "--trusted-host a\\ -e",
    ])
    func `what reaches out of the project is refused`(text: String) throws {
        let failure = #expect(throws: ProjectFailure.self) { try read(text) }
        #expect(failure?.code == "requirements_refused")
        if !text.hasPrefix("-r ${HOME}") { #expect(throws: Never.self) { try read(text, allowsAnything: true) } }
    }

    @Test func `a file that is missing, huge, binary or a link is refused`() throws {
        for text in ["-r missing.txt", String(repeating: "numpy\n", count: 50_000)] {
            #expect(throws: ProjectFailure.self) { try read(text) }
        }
        folder.write("requirements.txt", [0x6E, 0xFF, 0xFE])
        #expect(throws: ProjectFailure.self) { try Requirements(of: project, allowsAnything: true) }
        for index in 0..<12 { folder.write("r\(index).txt", "-r r\(index + 1).txt".utf8) }
        #expect(throws: ProjectFailure.self) { try read("-r r0.txt") }
    }
}
