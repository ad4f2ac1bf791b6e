"""The wiki: pages that members write together, with their history."""
