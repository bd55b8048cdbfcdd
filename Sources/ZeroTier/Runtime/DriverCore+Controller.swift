// The controller under the node's lock: changes that somebody waits for, and what is read.

import NetPrimitives
import ZeroTierController
import ZeroTierNode
import ZeroTierWire

extension DriverCore {
    /// A change that somebody waits for.
    struct Administration: Sendable {
        var outcome = AdministrationOutcome.waiting
        let waiters = WaitList()
    }

    /// What became of a change.
    enum AdministrationOutcome: Sendable {
        case waiting
        case done
        case refused(ZeroTierError)
    }

    mutating func enableController(
        _ records: [RecordWrite], of location: String, now: Now
    ) throws(ZeroTierError) {
        do throws(WireError) {
            try node.enableController(records, now: now)
        } catch {
            throw ZeroTierError(
                .storageUnavailable,
                "a record in \(location) is damaged (\(error)); it was left as it is. Restore or remove the file.")
        }
    }

    mutating func setController(_ isOn: Bool, now: Now) { node.setController(isOn, now: now) }

    /// Begins a change. Gives what the caller is to know at once, and the number of what it waits for.
    mutating func beginAdministration<Result>(
        now: Now, _ body: (inout ControllerEngine, AdministrationTicket) throws(ControllerError) -> Result
    ) throws(ZeroTierError) -> (result: Result, number: UInt64) {
        lastAdministration += 1
        let number = lastAdministration
        administrations[number] = Administration()
        let begun: Result?
        do throws(ControllerError) {
            begun = try node.administer(now: now) { (engine) throws(ControllerError) in
                try body(&engine, AdministrationTicket(number))
            }
        } catch {
            administrations[number] = nil
            throw ZeroTierError(error)
        }
        guard let begun else {
            administrations[number] = nil
            throw .noController
        }
        return (begun, number)
    }

    /// Whether a change is durable; nil while it is not. Throws why it was not made.
    mutating func takeAdministration(_ number: UInt64) throws(ZeroTierError) -> Bool? {
        switch administrations[number]?.outcome {
        case .waiting?: return nil
        case .done?, nil: return true
        case .refused(let error)?: throw error
        }
    }

    /// Nobody waits for a change any more.
    mutating func endAdministration(_ number: UInt64) { administrations[number] = nil }

    mutating func finishAdministration(_ ticket: AdministrationTicket, _ error: ControllerError?) {
        guard let waiters = administrations[ticket.value]?.waiters else { return }
        administrations[ticket.value]?.outcome = error.map { .refused(ZeroTierError($0)) } ?? .done
        room.signal(waiters)
    }

    /// Reads from the controller.
    mutating func readController<Result>(
        now: Now, _ body: (inout ControllerEngine) -> Result
    ) throws(ZeroTierError) -> Result {
        let result: Result?
        do throws(ControllerError) {
            result = try node.administer(now: now) { (engine) throws(ControllerError) in body(&engine) }
        } catch {
            throw ZeroTierError(error)
        }
        guard let result else { throw .noController }
        return result
    }
}

extension ZeroTierError {
    static let noController = ZeroTierError(
        .controllerDisabled,
        "this node is no controller: start it with `zerotier run --controller`, `Configuration.isController` or `zts_controller_enable`"
    )

    init(_ error: ControllerError) {
        switch error {
        case .networkUnknown(let id): self.init(.networkNotFound, "this controller has no network \(id)")
        case .memberUnknown(let id, let member):
            self.init(.memberNotFound, "network \(id) has no member \(member)")
        case .networkForeign(let id):
            self.init(
                .invalidArgument,
                "network \(id) is of controller \(id.controller): IDs of this node's networks begin with its own address"
            )
        case .networkTaken(let id): self.init(.invalidArgument, "there is a network \(id) already")
        case .networksExist(let ids):
            let list = ids.prefix(16).map(\.description).joined(separator: ", ")
            self.init(
                .invalidArgument,
                (ids.count == 1 ? "there is a network \(list) already" : "there are networks \(list) already")
                    + (ids.count > 16 ? " and \(ids.count - 16) more" : "")
                    + ", and nothing was taken: --existing keep or --existing replace says which wins")
        case .networkLeaving(let id): self.init(.networkNotFound, "network \(id) is being deleted")
        case .fieldInvalid(let field, let reason): self.init(.invalidArgument, "\(field): \(reason)")
        case .full(let what): self.init(.limitReached, "the controller is full: \(what)")
        case .storeBusy:
            self.init(.limitReached, "too many changes wait to be written: try again in a moment")
        case .storeFailed(let reason): self.init(.storageUnavailable, "nothing was changed: \(reason)")
        }
    }
}
