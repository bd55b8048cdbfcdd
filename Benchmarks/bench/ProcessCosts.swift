// What a process has spent so far: processor, wake-ups, system calls, allocations, datagrams. The difference of two
// moments, per megabyte, is what a stream costs. Read first: getrusage(2), proc(5).

import CProcessCounts
import Foundation
import ZeroTier

/// Totals since the process began.
struct ProcessCosts: Sendable {
    /// The names, in the order of the text form.
    enum Field: Int, CaseIterable {
        /// Times that a thread slept and was woken.
        case wakes
        case sends
        case receives
        case waits
        case futexes
        case allocations
        /// Datagrams given to the kernel by the node.
        case datagrams
        case processorMicroseconds
        case residentKilobytes
    }

    private var values: [Double]

    subscript(field: Field) -> Double { values[field.rawValue] }

    static func now(_ node: Node) throws -> ProcessCosts {
        let counts = cprocesscounts_now()
        let (wakes, seconds) = usage()
        return ProcessCosts(values: [
            wakes, Double(counts.sends), Double(counts.receives), Double(counts.waits), Double(counts.futexes),
            Double(counts.allocations), Double(try node.status().datagramsSent), seconds * 1e6, residentKilobytes(),
        ])
    }

    private init(values: [Double]) { self.values = values }

    /// Reads what `description` wrote.
    init?(_ text: some StringProtocol) {
        values = text.split(separator: " ").compactMap { Double($0) }
        guard values.count == Field.allCases.count else { return nil }
    }

    var description: String { values.map { "\($0)" }.joined(separator: " ") }

    static func - (after: ProcessCosts, before: ProcessCosts) -> ProcessCosts {
        ProcessCosts(values: zip(after.values, before.values).map { $0 - $1 })
    }

    // Threads that have ended are in it too.
    private static func usage() -> (wakes: Double, seconds: Double) {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return (.nan, .nan) }
        func value(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        return (Double(usage.ru_nvcsw), value(usage.ru_utime) + value(usage.ru_stime))
    }

    /// Voluntary context switches of the node's own threads, which are named zt-something. The program
    /// that measures has others: a thread of the dispatch library woke about once a second, probably to watch child processes.
    static func wakesOfNode() -> Double {
        let folder = "/proc/self/task"
        func text(_ name: String) -> String {
            (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
        }
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return tasks.filter { text("\($0)/comm").hasPrefix("zt-") }.reduce(0) { sum, task in
            let line = text("\(task)/status").split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }
            return sum + (line?.split(whereSeparator: { " \t".contains($0) }).last.flatMap { Double($0) } ?? 0)
        }
    }

    /// Processor time of this process.
    static func processorSeconds() -> Double { usage().seconds }

    static func residentKilobytes() -> Double { status("VmRSS:") }

    /// What of it is no file's: the heap, stacks, slabs. The rest is code, of Foundation most of it.
    static func anonymousKilobytes() -> Double { status("RssAnon:") }

    private static func status(_ field: String) -> Double {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
        return Double(line.split(separator: " ").dropLast().last ?? "") ?? .nan
    }

    /// The rows of a stream: both processes' costs per megabyte, and what the receiver sends, which is acknowledgements.
    static func rows(
        _ group: String, sender: ProcessCosts, receiver: ProcessCosts, megabytes: Double
    ) -> [String: Double] {
        var result: [String: Double] = [:]
        for (name, side) in [("send", sender), ("receive", receiver)] {
            let calls = side[.sends] + side[.receives] + side[.waits] + side[.futexes]
            result["\(group).\(name)_wakes_per_mb"] = side[.wakes] / megabytes
            result["\(group).\(name)_calls_per_mb"] = calls / megabytes
            result["\(group).\(name)_allocations_per_mb"] = side[.allocations] / megabytes
            result["\(group).\(name)_processor_us_per_mb"] = side[.processorMicroseconds] / megabytes
        }
        result["\(group).acks_per_mb"] = receiver[.datagrams] / megabytes
        return result
    }
}
