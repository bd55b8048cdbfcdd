import Testing
@testable import ZeroTierC
