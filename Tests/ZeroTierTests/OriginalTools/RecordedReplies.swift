/// Bodies as a service of the original gives them, with made-up values.
enum RecordedReplies {
    static let identity = "1d2e3f4a5b:0:" + String(repeating: "0123456789abcdef", count: 8)

    static let status = """
        {"address":"1d2e3f4a5b","clock":1730000000123,"config":{"settings":{"allowTcpFallbackRelay":true,"forceTcpRelay":false,\
        "homeDir":"/var/lib/zerotier-one","listeningOn":["192.0.2.10/9993","192.0.2.10/31234"],"portMappingEnabled":true,\
        "primaryPort":9993,"secondaryPort":31234,"softwareUpdate":"disable","softwareUpdateChannel":"release",\
        "surfaceAddresses":["198.51.100.7/40001"],"tertiaryPort":29876}},"online":true,"planetWorldId":149604618,\
        "planetWorldTimestamp":1644592324813,"publicIdentity":"\(identity)","tcpFallbackActive":false,\
        "version":"1.14.1","versionBuild":0,"versionMajor":1,"versionMinor":14,"versionRev":1}
        """

    static let network = """
        {"allowDNS":false,"allowDefault":false,"allowGlobal":false,"allowManaged":true,"assignedAddresses":["10.20.0.5/24",\
        "fd12::5/88","fc5b:1d2e:3f4a:5b01:1d2e::1/40"],"bridge":false,"broadcastEnabled":true,"dhcp":false,\
        "dns":{"domain":"zt.example","servers":["10.20.0.1"]},"id":"1d2e3f4a5b000001","mac":"7e:01:02:03:04:05","mtu":2800,\
        "multicastSubscriptions":[{"adi":0,"mac":"01:00:5e:00:00:01"},{"adi":169082885,"mac":"ff:ff:ff:ff:ff:ff"}],\
        "name":"home","netconfRevision":7,"nwid":"1d2e3f4a5b000001","portDeviceName":"ztabcdefgh","portError":0,\
        "routes":[{"flags":0,"metric":0,"target":"10.20.0.0/24","via":null},{"flags":0,"metric":0,"target":"172.16.5.0/24",\
        "via":"10.20.0.9"}],"status":"OK","type":"PRIVATE"}
        """

    /// One that waits for its configuration, of a node in user space.
    static let waitingNetwork = """
        {"allowDNS":false,"allowDefault":false,"allowGlobal":false,"allowManaged":true,"assignedAddresses":[],"bridge":false,\
        "broadcastEnabled":true,"dhcp":false,"dns":{"domain":"","servers":[]},"id":"1d2e3f4a5b000002",\
        "mac":"7e:01:02:03:04:06","mtu":2800,"multicastSubscriptions":[],"name":"","netconfRevision":0,\
        "nwid":"1d2e3f4a5b000002","portDeviceName":"","portError":0,"routes":[],"status":"REQUESTING_CONFIGURATION",\
        "type":"PRIVATE"}
        """

    static let peer = """
        {"address":"0a1b2c3d4e","isBonded":false,"latency":23,"paths":[{"active":true,"address":"203.0.113.9/9993",\
        "expired":false,"lastReceive":1729999998000,"lastSend":1729999999000,"localPort":0,"localSocket":94000000000016,\
        "preferred":true,"trustedPathId":0}],"role":"LEAF","tunneled":false,"version":"1.14.1","versionMajor":1,\
        "versionMinor":14,"versionRev":1}
        """

    static let relayedPeer = """
        {"address":"0a1b2c3d4f","isBonded":false,"latency":-1,"paths":[],"role":"PLANET","tunneled":false,\
        "version":"-1.-1.-1","versionMajor":-1,"versionMinor":-1,"versionRev":-1}
        """

    static let bond = """
        {"address":"0a1b2c3d4e","bondingPolicyCode":1,"bondingPolicyStr":"active-backup","downDelay":0,\
        "failoverInterval":5000,"isBonded":true,"latency":23,"numAliveLinks":2,"numTotalLinks":2,"packetsPerLink":64,\
        "paths":[{"active":true,"address":"203.0.113.9/9993","assignedFlowCount":0,"bonded":1,"eligible":1,"expired":false,\
        "givenLinkSpeed":1000,"ifname":"eth0","lastInAge":120,"lastOutAge":40,"lastReceive":1729999998000,\
        "lastSend":1729999999000,"latencyMean":12.5,"latencyVariance":0.75,"localPort":0,"localSocket":94000000000016,\
        "packetErrorRatio":0.0,"packetLossRatio":0.0,"preferred":true,"relativeQuality":0.5,"trustedPathId":0}],\
        "role":"LEAF","tunneled":false,"upDelay":0,"version":"1.14.1","versionMajor":1,"versionMinor":14,"versionRev":1}
        """

    static let moon = """
        {"id":"0000001d2e3f4a5b","roots":[{"identity":"\(identity)","stableEndpoints":["203.0.113.5/9993"]}],\
        "signature":"\(String(repeating: "ab", count: 96))","timestamp":1729000000000,\
        "updatesMustBeSignedBy":"\(String(repeating: "cd", count: 64))","waiting":false}
        """
}
