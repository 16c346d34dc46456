internal import Glibc

/// The program: reads the command line and does what it says.
#if !FUZZING
    @main
#endif
struct Program {
    static func main() async {
        exit(await run(Command(Array(CommandLine.arguments.dropFirst()))))
    }

    static func run(_ command: Command) async -> Int32 {
        switch command {
        case .help:
            FileContent.print(Command.usage)
            return ExitStatus.success
        case .version:
            FileContent.print(ReportCommands.version())
            return ExitStatus.success
        case .misuse(let reason):
            FileContent.complain("avatar-streamer: \(reason)\n\n\(Command.usage)")
            return ExitStatus.usage
        case .go2(let command): return await Go2Commands.run(command)
        case .checkConfiguration(let file, let former):
            guard let configuration = load(file, former) else { return ExitStatus.configuration }
            FileContent.print(ReportCommands.settings(of: configuration))
            return ExitStatus.success
        case .serve(let file, let former):
            guard let configuration = load(file, former) else { return ExitStatus.configuration }
            return await Server(configuration).run()
        }
    }

    private static func load(_ file: String?, _ former: String?) -> Configuration? {
        do throws(InvalidConfiguration) {
            return try ConfigurationFile.load(file, importing: former)
        } catch {
            for problem in error.problems { FileContent.complain(problem.description) }
            return nil
        }
    }
}
