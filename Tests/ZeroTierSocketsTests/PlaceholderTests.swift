import Testing
@testable import ZeroTierSockets
