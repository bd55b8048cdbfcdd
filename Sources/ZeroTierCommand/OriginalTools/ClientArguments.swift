// Bytes: the command line of the original's `zerotier-cli`. Its switches have their value glued on and may stand anywhere.

/// What was typed, taken apart.
struct ClientArguments: Equatable, Sendable {
    /// The service's state directory, if it was named.
    var home: String?
    var host = "127.0.0.1"
    var port: UInt16?
    var token: String?
    var asJSON = false
    /// The verb and what belongs to it.
    var words: [String] = []

    /// Why there is nothing to do.
    enum Ending: Error, Equatable {
        /// The help is wanted, or a switch makes no sense: then the word that does not.
        case help(wrong: String?)
        case version
    }

    init(_ arguments: [String]) throws(Ending) {
        for argument in arguments {
            guard argument.hasPrefix("-") else {
                words.append(argument)
                continue
            }
            try take(argument)
        }
    }

    private mutating func take(_ argument: String) throws(Ending) {
        let value = String(argument.dropFirst(2))
        switch argument.dropFirst().first {
        case "j" where value.isEmpty: asJSON = true
        // The original's one program needs it to know what it is.
        case "q" where value.isEmpty: break
        case "v" where value.isEmpty: throw .version
        case "h" where value.isEmpty, "?" where value.isEmpty: throw .help(wrong: nil)
        case "D" where !value.isEmpty: home = value
        case "T" where !value.isEmpty: token = value
        case "H" where !value.isEmpty: host = value
        case "p":
            guard let number = UInt16(value), number > 0, value.utf8.first != UInt8(ascii: "+") else {
                throw .help(wrong: argument)
            }
            port = number
        case "-" where value == "help": throw .help(wrong: nil)
        case "-" where value == "version": throw .version
        // A token must not be repeated, not even one that was typed wrong.
        default: throw .help(wrong: argument.hasPrefix("-T") ? "-T" : argument)
        }
    }
}
