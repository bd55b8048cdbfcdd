//  The planet a node uses when it has no other: the public one, as a node of release 1.8.4 writes it to its state
//  directory when it starts without a custom one. Its signed updates arrive from its roots.

extension World {
    /// The public planet.
    package static let defaultPlanet: World = {
        guard let bytes = Hexadecimal.decode(defaultPlanetText), let world = try? World(decoding: bytes) else {
            preconditionFailure("the default planet is a constant that a test reads")
        }
        return world
    }()

    /// The serialised planet.
    private static let defaultPlanetText =
        "010000000008eac90a00000178cc8ef8cbb8b388a469221491aa9acd66cc764cdefd56039f1067ae15e69c6fb42d7b55"
        + "330e3fdaac529c0792fd7340a6aa21aba8a489fdaea44a39bf2d00659ac9c818eb31dc40a9c7b5d2f98ed97bf6412729"
        + "02b6b3346f56161145824455857879b930cb01511549f33824d8d4787d7723dac351500be7df5b8f72dd2581a50b4a36"
        + "01468595be4d5ee63b46c29b153c438a30e0a2bfba1a57fc987b4271de9c536c000461d294b9cb00e653ef7ad9255952"
        + "b7c9fca1686d3b17c610b04e6b6c82d2d37cd3a6efb2563d577f81222437620209e92348ad337bd191ac00b7492cfd55"
        + "ce0fa036d8c5628300020432074922270906200149f0d002000600000000000000022709778cde7190003f6681a99e5a"
        + "d1895e9fba33e6212d4454e168bcec7112101bf000956ed8e92e42892cb6f2ec410881a84ab19da50e1287ba3d926c3a"
        + "1f755cccf299a120705500020467c3674227090626059880040000c30254f2bca1f70019270962f865ae7100e2076c57"
        + "de870e6288d7d5e7404408b1545efca37d67f77b87e9e54168c25d3ef1a9abf2905ea5e785c01dff23887ad4232d95c7"
        + "a8fd2c27111a72bd159322dc0002043207fc8a270906200149f0d0db000200000000000000022709992fcf1db700206e"
        + "d59350b31916f749a1f85dffb3a8787dcbf83b8c6e9448d4e3ea0e3369301be716c3609344a9d1533850fb4460c50af4"
        + "3322bcfc8e13d3301a1f1003ceb6000204c3b5ad9f2709062a026ea0c024000000000000000000002709"
}
