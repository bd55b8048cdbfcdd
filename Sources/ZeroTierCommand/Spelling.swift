// What somebody may have meant: verbs and IDs that differ from a known one in a letter or two.

import ArgumentParser
import ZeroTier

enum Spelling {
    /// How many letters may differ.
    static let tolerance = 2

    /// Letters to be changed, put in, left out, or exchanged with their neighbour, from one word to another.
    static func distance(_ first: String, _ second: String) -> Int {
        let (left, right) = (Array(first.utf8), Array(second.utf8))
        if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
        var before: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var line = [row + 1]
            for column in right.indices {
                let isEqual = left[row] == right[column]
                var best = min(last[column] + (isEqual ? 0 : 1), last[column + 1] + 1, line[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, before[column - 1] + 1)
                }
                line.append(best)
            }
            (before, last) = (last, line)
        }
        return last[right.count]
    }

    /// The known word that is nearest, if it is near enough and not the word itself.
    static func nearest(to word: String, of known: some Sequence<String>) -> String? {
        var best: (distance: Int, word: String)?
        for candidate in known where abs(candidate.utf8.count - word.utf8.count) <= tolerance {
            let found = (distance: distance(word, candidate), word: candidate)
            guard (1...tolerance).contains(found.distance), found.distance < candidate.utf8.count else { continue }
            if best.map({ found < $0 }) ?? true { best = found }
        }
        return best?.word
    }

    /// What to add to an error about a word; empty if nothing is near.
    static func advice(_ word: String, of known: some Sequence<String>) -> String {
        nearest(to: word, of: known).map { ". Did you mean \($0)?" } ?? ""
    }

    /// What is wrong with a command line whose verb there is not; nil if its verbs are there.
    static func unknownVerb(_ arguments: [String]) -> String? {
        var group: any ParsableCommand.Type = ZeroTierCommand.self
        var path = group._commandName
        for argument in arguments where !argument.hasPrefix("-") {
            let verbs = group.configuration.subcommands
            if verbs.isEmpty { return nil }
            if let verb = verbs.first(where: { $0._commandName == argument }) {
                group = verb
                path += " " + argument
                continue
            }
            if argument == "help" { return nil }
            let names = verbs.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
            let nearest = nearest(to: argument, of: names).map { ". Did you mean '\($0)'?" }
            return "\(path) has no verb '\(argument)'" + (nearest ?? ": there are " + names.joined(separator: ", "))
        }
        return nil
    }
}

extension ZeroTierError {
    /// With the network or member of a request that may have been meant, if it names one that is not known.
    func advised(_ words: [String], _ node: Node) -> ZeroTierError {
        guard [.networkNotFound, .memberNotFound, .notJoined, .invalidArgument].contains(code) else { return self }
        var advice = ""
        if words.first == "controller", words.count > 3 {
            let networks = ((try? node.controller.networks()) ?? []).map(\.id)
            advice = Spelling.advice(words[3], of: networks.map(\.description))
            if advice.isEmpty, words[1] == "member", words.count > 4, let network = NetworkID(words[3]) {
                advice = Spelling.advice(words[4], of: node.controller.nodes(of: network))
            }
        } else if words.count > 1, words.first != "controller" {
            advice = Spelling.advice(words[1], of: ((try? node.networks()) ?? []).map(\.id.description))
        }
        return advice.isEmpty ? self : ZeroTierError(code, message + advice)
    }
}

extension NetworkController {
    /// The addresses of all members, and of those who wait.
    func nodes(of network: NetworkID) -> [String] {
        let members = ((try? members(of: network)) ?? []).map(\.id)
        return (members + ((try? waitingNodes(of: network)) ?? [])).map(\.description)
    }
}
