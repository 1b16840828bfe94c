"""People with phones: real clients of a running server who take whole rides. They use nothing but the contract."""
