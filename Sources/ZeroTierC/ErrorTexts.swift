// Texts about failures: of codes, the last message, why a start failed.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import ZeroTierLibrary

private func text(_ code: Int32, _ names: [StaticString]) -> UnsafePointer<CChar>? {
    guard code <= 0 else {
        // Sound: constant texts. Numbers are Linux's everywhere.
        return unsafe czerotier_error_text(code) ?? constant("unknown error")
    }
    let index = -Int(code)
    return unsafe constant(index < names.count ? names[index] : "unknown return code")
}

private func constant(_ text: StaticString) -> UnsafePointer<CChar>? {
    // Sound: a static string is zero-terminated and lives as long as the program.
    unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func zts_strerror(_ code: Int32) -> UnsafePointer<CChar>? {
    unsafe text(
        code,
        [
            "no error", "the socket call failed: see zts_errno", "invalid argument",
            "the service does not run or is not online yet", "not permitted in this state", "no result",
            "general failure",
        ])
}

@c @implementation
public func zts18_strerror(_ code: Int32) -> UnsafePointer<CChar>? {
    unsafe text(
        code,
        [
            "no error", "the socket call failed: see zts_errno", "the node does not run, or runs and must not",
            "invalid argument", "no result", "general failure",
        ])
}

@c @implementation
public func zts_last_error_message() -> UnsafePointer<CChar>? {
    // Sound: the thread's own buffer.
    unsafe czerotier_message()
}

@c @implementation
public func zts_get_start_error() -> UnsafePointer<CChar>? {
    guard let reason = LibraryNode.shared.startError else { return nil }
    LastMessage.set(reason)
    // Sound: the thread's own buffer.
    return unsafe UnsafePointer(czerotier_message())
}
