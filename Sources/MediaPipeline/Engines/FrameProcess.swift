internal import Core
internal import Glibc
internal import Synchronization

/// A program that writes I420 pictures to its standard output, paced by how fast the stage takes them.
///
/// At most two pictures are read ahead. When the program ends it is started again, after 1 s, then 2 s, up to 30 s;
/// meanwhile its last picture stands.
final class FrameProcess: PictureSource {
    private let pictures: PictureQueue

    init(command: [String], width: Int, height: Int) throws(StageError) {
        guard let program = command.first, let path = Self.find(program) else {
            throw StageError(
                code: .sourceUnavailable, reason: "the program \(command.first ?? "") for raw frames is not there",
                remedy: "give the full path of an executable file")
        }
        pictures = PictureQueue(frameSize: I420Picture.byteCount(width: width, height: height))
        self.command = [path] + command.dropFirst()
    }

    private let command: [String]
    private var isStarted = false
    private var last: [UInt8]?

    deinit {
        pictures.close()
    }

    var wantsSound: Bool { false }

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        if !isStarted {
            isStarted = true
            PipelineThread.start(name: "raw-frames") { [pictures, command] in
                FrameProcessRunner(command: command, pictures: pictures).run()
            }
        }
        let (frame, failure) = pictures.take()
        if let frame { last = frame }
        if let last { _ = picture.copy(from: last) }
        if frame == nil, let failure { throw SourceError(reason: failure) }
    }

    /// The file that `execvp` would run; nil if there is none.
    private static func find(_ program: String) -> String? {
        guard !program.isEmpty else { return nil }
        if program.contains("/") { return unsafe access(program, X_OK) == 0 ? program : nil }
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { unsafe access($0, X_OK) == 0 }
    }
}
